/** Waiting for something about the pool to become true. */

import { type Deferred, deferred } from '../common/deferred.ts'

interface Condition {
  readonly holds: () => boolean
  /** Of which shelves a failure that lasts is a failure of the wait. */
  readonly concerns: (shelf: string) => boolean
  readonly settled: Deferred<void>
}

/** Looked at whenever the pool has changed. */
export class Conditions {
  readonly #waiting = new Set<Condition>()

  /** Resolves when it holds. Rejects with the signal's reason, or what `fail` was told. */
  async until(holds: () => boolean, concerns: (shelf: string) => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (holds()) return
    const condition: Condition = { holds, concerns, settled: deferred() }
    const onAbort = (): void => condition.settled.reject(signal.reason)
    this.#waiting.add(condition)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await condition.settled.promise
    } finally {
      this.#waiting.delete(condition)
      signal.removeEventListener('abort', onAbort)
    }
  }

  review(): void {
    for (const { holds, settled } of this.#waiting) if (holds()) settled.resolve()
  }

  fail(shelf: string, error: unknown): void {
    for (const { concerns, settled } of this.#waiting) if (concerns(shelf)) settled.reject(error)
  }
}
