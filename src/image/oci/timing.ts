/** How long a registry is waited for, and how often it is asked again. */

import { setTimeout as delay } from 'node:timers/promises'
import { withDeadline } from '../../common/deadline.ts'
import { WarmcellError } from '../../errors.ts'
import { PullFailure } from './failure.ts'

/** All in milliseconds, but `attempts`. */
export interface Timing {
  /** Until a connection stands. */
  readonly connectMs: number
  /** Until an answer begins. */
  readonly headersMs: number
  /** Without a byte of a blob. How long all of it takes is not limited: links differ by a thousand times. */
  readonly idleMs: number
  /** For all of a manifest or a token: small things. */
  readonly documentMs: number
  /** Without progress in between. */
  readonly attempts: number
  /** Before the second attempt; twice that before each one after it. */
  readonly firstDelayMs: number
  readonly lastDelayMs: number
  /** A registry that wants to be left alone for longer is not waited for. */
  readonly retryAfterMsMax: number
}

export const defaultTiming: Timing = {
  connectMs: 10_000,
  headersMs: 30_000,
  idleMs: 30_000,
  documentMs: 60_000,
  attempts: 5,
  firstDelayMs: 250,
  lastDelayMs: 10_000,
  retryAfterMsMax: 60_000,
}

/** So many bytes, and the count of failed attempts begins anew: a large layer may break off often, a server that gives byte by byte gets no more patience than others. */
const progressBytes: number = 1_048_576

/**
 * How long to wait before the next attempt; undefined for giving up. Doubles, and is drawn from the upper half, so that many that failed together do not come back
 * together.
 *
 * @param failed attempts so far, since there was progress
 * @param random from 0 to 1
 */
export function delayBeforeRetry(
  failed: number,
  retryAfterMs: number | undefined,
  timing: Timing,
  random: number,
): number | undefined {
  if (failed >= timing.attempts || (retryAfterMs ?? 0) > timing.retryAfterMsMax) return undefined
  const backoffMs = Math.min(timing.firstDelayMs * 2 ** (failed - 1), timing.lastDelayMs) * (0.5 + random / 2)
  return Math.max(backoffMs, retryAfterMs ?? 0)
}

/** A header's value: seconds, or a date. In milliseconds. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

/** Does it again while trying again may help. @param doneBytes how much of it is done, which only grows */
export async function withRetries<T>(
  { timing, signal, doneBytes = () => 0 }: { timing: Timing; signal: AbortSignal; doneBytes?: () => number },
  work: () => Promise<T>,
): Promise<T> {
  for (let failed = 1, before = doneBytes(); ; failed++) {
    signal.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof PullFailure && error.retryable)) throw error
      if (doneBytes() - before >= progressBytes) {
        failed = 1
        before = doneBytes()
      }
      const delayMs = delayBeforeRetry(failed, error.retryAfterMs, timing, Math.random())
      if (delayMs === undefined) throw error
      await delay(delayMs, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }
}

/** Small things come soon or not at all. @param what is waited for, as a part of a sentence */
export async function withinTime<T>(
  { what, timeoutMs, signal }: { what: string; timeoutMs: number; signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withDeadline(what, { signal, timeoutMs }, work).catch((cause: unknown) => {
    if (signal.aborted || !(WarmcellError.is(cause) && cause.code === 'TIMEOUT')) throw cause
    throw new PullFailure(`${what} does not come within ${timeoutMs} ms`, {
      hint: 'Look at the network, and try again.',
      retryable: true,
    })
  })
}
