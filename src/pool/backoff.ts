/** How long to leave off after failures: longer after each, never all at once. */

/** The first failure may be an accident: a tenth of a second does not show. */
const firstMs = 100

const factor = 2

/** What does not work now may work when somebody has mended it: half a minute is soon enough to notice. */
const capMs = 30_000

/** Exponential, with the half of each delay left to chance, so that what failed together is not tried together. */
export class Backoff {
  readonly #random: () => number
  #failures = 0
  #until = 0

  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** When, by the clock of `failed`, to try again; 0 after a success. */
  get until(): number {
    return this.#until
  }

  failed(now: number): void {
    const delay = Math.min(capMs, firstMs * factor ** this.#failures++)
    this.#until = now + (delay / 2) * (1 + this.#random())
  }

  succeeded(): void {
    this.#failures = 0
    this.#until = 0
  }
}
