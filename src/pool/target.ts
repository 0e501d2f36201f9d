/** How many warm microVMs a template should have: a number, or what demand asks for within bounds. */

/** Both equal: a number that does not follow anything. */
export interface TargetBounds {
  readonly min: number
  readonly max: number
}

/** Demand is looked at in seconds: what is taken within one comes at once, as far as making more is concerned. */
const slotMs = 1_000

/** How many of them are remembered: a load that comes once a minute finds the stock of the last time. */
const slots = 60

/** Shrinking goes one by one: a pause is no end, and each one that is thrown away was worth making. */
const shrinkMs = 5_000

/**
 * Follows demand by its peak: `target = clamp(⌈peak × max(1 s, time to make one)⌉, min, max)`, where the peak is the largest number of takes within one of
 * the last 60 seconds. Within the time it takes to make one, so many are taken as there must be. It grows at once, and shrinks by one every 5 s.
 */
export class WarmTarget {
  #bounds: TargetBounds
  #target: number
  #changedAt = 0
  #makeMs = 0
  /** Takes by second: the second, and how many. */
  readonly #takes: { slot: number; count: number }[] = []

  constructor(bounds: TargetBounds) {
    this.#bounds = bounds
    this.#target = bounds.min
  }

  get bounds(): TargetBounds {
    return this.#bounds
  }

  set bounds(bounds: TargetBounds) {
    this.#bounds = bounds
    this.#target = clamp(this.#target, bounds)
  }

  /** Somebody wanted one, whether there was one or not. */
  took(now: number): void {
    const slot = this.#slot(now)
    if (slot !== undefined) slot.count++
  }

  /** So many will be wanted at once: as if they had been already. */
  expect(count: number, now: number): void {
    const slot = this.#slot(now)
    if (slot !== undefined) slot.count = Math.max(slot.count, count)
  }

  /** One was made, in so many milliseconds. */
  made(ms: number): void {
    this.#makeMs = this.#makeMs === 0 ? ms : this.#makeMs + (ms - this.#makeMs) / 8
  }

  /** The target now. */
  at(now: number): number {
    const wanted = this.#wanted(now)
    if (wanted >= this.#target) {
      this.#target = wanted
      this.#changedAt = now
    } else {
      const steps = Math.floor((now - this.#changedAt) / shrinkMs)
      if (steps > 0) {
        this.#target = Math.max(wanted, this.#target - steps)
        this.#changedAt += steps * shrinkMs
      }
    }
    return this.#target
  }

  /** When it may next be another without anybody having taken one; undefined when it will not. */
  changesAt(): number | undefined {
    return this.#target > this.#bounds.min ? this.#changedAt + shrinkMs : undefined
  }

  #slot(now: number): { count: number } | undefined {
    if (this.#bounds.min === this.#bounds.max) return undefined
    const slot = Math.floor(now / slotMs)
    const last = this.#takes.at(-1)
    if (last?.slot === slot) return last
    const next = { slot, count: 0 }
    this.#takes.push(next)
    return next
  }

  #wanted(now: number): number {
    const { min, max } = this.#bounds
    if (min === max) return min
    const oldest = Math.floor(now / slotMs) - slots
    while (this.#takes[0] !== undefined && this.#takes[0].slot <= oldest) this.#takes.shift()
    const peak = Math.max(0, ...this.#takes.map(({ count }) => count))
    return clamp(Math.ceil((peak * Math.max(slotMs, this.#makeMs)) / slotMs), this.#bounds)
  }
}

function clamp(value: number, { min, max }: TargetBounds): number {
  return Math.min(max, Math.max(min, value))
}
