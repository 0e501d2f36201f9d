/** Waiting in one place: a caller's `signal` and `timeoutMs` folded into one race. */

import { WarmcellError } from '../errors.ts'
import { onAbort } from './on-abort.ts'
import { startTimer } from './timer.ts'

/** Ends a call early. */
export interface CallOptions {
  /** Rejects the call with the signal's reason. */
  signal?: AbortSignal
  /** Rejects the call with code `TIMEOUT` after this many milliseconds. Default: none. */
  timeoutMs?: number
}

/** Of options that say more, what ends the call early. */
export function callOptionsOf({ signal, timeoutMs }: { [K in keyof CallOptions]: CallOptions[K] | undefined }): CallOptions {
  return { ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) }
}

/**
 * Runs `work` with a signal that fires when the caller's signal does, or when the time is up; settles at that moment even if
 * `work` does not listen. `what` names the work in the error: "boot of sandbox x".
 *
 * @throws the caller's own reason on abort, or `TIMEOUT`.
 */
export async function withDeadline<T>(what: string, options: CallOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { signal, timeoutMs } = options
  signal?.throwIfAborted()
  const losers = new AbortController()
  const ended = new Promise<never>((_, reject) => {
    losers.signal.addEventListener('abort', () => reject(losers.signal.reason), { once: true })
  })
  ended.catch(() => {})
  const unlink = signal && onAbort(signal, () => losers.abort(signal.reason))
  const onTimeout = (): void => losers.abort(new WarmcellError('TIMEOUT', `${what} took longer than ${timeoutMs} ms.`))
  const cancelTimer = timeoutMs === undefined ? undefined : startTimer(timeoutMs, onTimeout)
  try {
    return await Promise.race([work(losers.signal), ended])
  } finally {
    cancelTimer?.()
    unlink?.()
  }
}
