/** Listening to one signal from many calls. */

/** What each signal calls. Node takes eleven listeners of one signal for a leak, and warns; a caller's one signal for all its calls is none. */
const followers = new WeakMap<AbortSignal, Set<() => void>>()

/** Calls `listener` once when the signal fires, in the order of the calls; not when it has fired already. @returns what takes it back */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const known = followers.get(signal)
  const listeners = known ?? new Set()
  const mine = (): void => listener()
  listeners.add(mine)
  if (known === undefined) {
    followers.set(signal, listeners)
    signal.addEventListener('abort', announce, { once: true })
  }
  return () => {
    listeners.delete(mine)
    if (listeners.size > 0 || followers.get(signal) !== listeners) return
    followers.delete(signal)
    signal.removeEventListener('abort', announce)
  }
}

function announce(this: AbortSignal): void {
  const listeners = followers.get(this)
  followers.delete(this)
  for (const listener of listeners ?? []) listener()
}
