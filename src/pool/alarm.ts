/** One timer for everything that is due at some time: it rings at the earliest. */

export class Alarm {
  readonly #ring: () => void
  #timer: NodeJS.Timeout | undefined
  #at: number = Number.POSITIVE_INFINITY

  constructor(ring: () => void) {
    this.#ring = ring
  }

  /** Rings at this time of the monotonic clock, unless it rings before. A pool that only waits for its own next look keeps no process alive. */
  by(time: number): void {
    if (time >= this.#at) return
    clearTimeout(this.#timer)
    this.#at = time
    this.#timer = setTimeout(this.#ring, Math.max(1, Math.ceil(time - performance.now()))).unref()
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#at = Number.POSITIVE_INFINITY
  }
}
