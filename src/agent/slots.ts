/** A fixed number of places, given out first come first served. */

import { type Deferred, deferred } from '../common/deferred.ts'

export class Slots {
  readonly #max: number
  readonly #waiting: Set<Deferred<void>> = new Set()
  #taken = 0
  #closed: { reason: unknown } | undefined

  constructor(max: number) {
    this.#max = max
  }

  /**
   * Waits for a place. The signal ends the wait and leaves nothing of it behind.
   *
   * @returns what gives the place back; calling it again changes nothing
   */
  async take(signal: AbortSignal): Promise<() => void> {
    if (this.#closed !== undefined) throw this.#closed.reason
    if (this.#taken >= this.#max) await this.#wait(signal)
    else this.#taken++
    let held = true
    return () => {
      if (held) this.#release()
      held = false
    }
  }

  /** Nobody gets a place any more; who waits is told why. */
  close(reason: unknown): void {
    this.#closed ??= { reason }
    for (const waiter of this.#waiting) waiter.reject(reason)
    this.#waiting.clear()
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const waiter = deferred<void>()
    const onAbort = (): void => {
      // Once it has been given a place, it keeps it: the caller gives it back.
      if (this.#waiting.delete(waiter)) waiter.reject(signal.reason)
    }
    this.#waiting.add(waiter)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await waiter.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** A place given back goes straight to the first in line, so that nobody overtakes. */
  #release(): void {
    const [first] = this.#waiting
    if (first === undefined) this.#taken--
    else {
      this.#waiting.delete(first)
      first.resolve()
    }
  }
}
