/** Timers of any length. */

/** The longest delay a Node timer can hold, in milliseconds (2³¹ − 1): about 24.8 days. A longer one would fire at once. */
const nodeTimerMsMax = 2_147_483_647

/** Calls back once, `ms` milliseconds from now by the monotonic clock. Returns what cancels it. */
export function startTimer(ms: number, callback: () => void): () => void {
  const at = performance.now() + ms
  let timer: NodeJS.Timeout
  const arm = (): void => {
    const leftMs = at - performance.now()
    const more = leftMs > nodeTimerMsMax
    timer = setTimeout(more ? arm : callback, more ? nodeTimerMsMax : Math.max(0, leftMs))
  }
  arm()
  return () => clearTimeout(timer)
}
