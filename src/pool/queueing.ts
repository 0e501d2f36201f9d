/** Creates that stand in line: until it is their turn, they give up, or their time is over. */

import { type Deferred, deferred } from '../common/deferred.ts'
import { startTimer } from '../common/timer.ts'
import type { WarmcellError } from '../errors.ts'
import type { Machine } from '../machine/index.ts'
import type { SandboxInfo } from '../sandbox/index.ts'
import type { Template } from '../template/index.ts'
import { FairLine } from './line.ts'

/** A machine for a create. */
export interface Supplied {
  readonly machine: Machine
  readonly origin: SandboxInfo['origin']
  /** What it was made from, which may not be what its name stands for by now. */
  readonly template: Template
}

interface Waiter {
  readonly turn: Deferred<Supplied>
  /** Makings that failed while it was next. */
  failures: number
}

/** One failure may be an accident; a second one right after it is told. */
const makingsPerWaiter = 2

/** Who asks, and for how long. */
export interface Request {
  readonly tenant: string | undefined
  readonly weight: number
  readonly signal: AbortSignal
}

export class Queueing {
  readonly #line = new FairLine<Waiter>()

  waiting(key: string): number {
    return this.#line.waiting(key)
  }

  keysInTurn(): string[] {
    return this.#line.kindsInTurn()
  }

  /**
   * Resolves when it is this one's turn, or rejects with the signal's reason, or with what `onDeadline` makes after `timeoutMs`. In line from the moment of the
   * call on.
   */
  async stand(
    key: string,
    { tenant, weight, signal }: Request,
    timeoutMs: number | undefined,
    onDeadline: () => WarmcellError,
  ): Promise<Supplied> {
    const waiter: Waiter = { turn: deferred(), failures: 0 }
    const leave = this.#line.join(key, tenant, weight, waiter)
    const giveUp = (reason: () => unknown): void => {
      const error = reason()
      if (leave()) waiter.turn.reject(error)
    }
    const onAbort = (): void => giveUp(() => signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    const cancelDeadline = timeoutMs === undefined ? undefined : startTimer(timeoutMs, () => giveUp(onDeadline))
    try {
      return await waiter.turn.promise
    } finally {
      cancelDeadline?.()
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Gives it to whoever is next. False when nobody waits. */
  serve(key: string, supplied: Supplied): boolean {
    const waiter = this.#line.take(key)
    waiter?.turn.resolve(supplied)
    return waiter !== undefined
  }

  /** A making failed: whoever is next hears of it when it is the second one in a row, or one that no further try would mend. */
  failed(key: string, error: WarmcellError): void {
    const next = this.#line.first(key)
    if (next === undefined) return
    next.failures += error.retryable ? 1 : makingsPerWaiter
    if (next.failures < makingsPerWaiter) return
    this.#line.take(key)
    next.turn.reject(error)
  }

  /** Nobody who waits for it is served any more. */
  failAll(key: string, error: unknown): void {
    for (const { turn } of this.#line.drain(key)) turn.reject(error)
  }
}
