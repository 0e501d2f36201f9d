/** What ends a process before its time: its timeout, and the signal it was started with. */

import type { GuestProcess } from '../../agent/index.ts'
import { onAbort } from '../../common/on-abort.ts'
import { startTimer } from '../../common/timer.ts'
import { killGraceMsDefault, type SpawnOptions } from './options.ts'

/** How long after the last SIGKILL the guest may take to say that the process has ended before it is asked whether it is there at all, in milliseconds. */
const silenceMsMax = 2_000

export interface KillListener {
  onTimeout(): void
  onAbort(reason: unknown): void
  /** It was to be ended, and nothing was heard of it for long. */
  onSilence(): void
}

/** Both end the process group in the same way. @returns what disarms them */
export function armKills(guest: GuestProcess, startedAt: number, options: SpawnOptions, listener: KillListener): () => void {
  const { timeoutMs, killGraceMs = killGraceMsDefault, signal } = options
  let cancelWatch: (() => void) | undefined
  const terminate = (): void => {
    guest.terminate(killGraceMs)
    cancelWatch ??= startTimer(killGraceMs + silenceMsMax, () => listener.onSilence())
  }
  const abort = (): void => {
    terminate()
    listener.onAbort(signal?.reason)
  }
  const onTimeout = (): void => {
    terminate()
    listener.onTimeout()
  }
  const ignoreSignal = signal && onAbort(signal, abort)
  if (signal?.aborted) abort()
  const spentMs = performance.now() - startedAt
  const cancelTimer = timeoutMs === undefined ? undefined : startTimer(Math.max(0, timeoutMs - spentMs), onTimeout)
  return () => {
    cancelTimer?.()
    cancelWatch?.()
    ignoreSignal?.()
  }
}
