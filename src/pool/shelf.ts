/** What a pool has of one template: its editions, its target, and what is in the making. */

import type { Template } from '../template/index.ts'
import { Backoff } from './backoff.ts'
import { Edition } from './edition.ts'
import type { ShelfView } from './plan.ts'
import { WarmTarget } from './target.ts'

/** One machine on its way. */
export interface Making {
  readonly abort: AbortController
  readonly done: Promise<void>
}

/** How many processes wait, parked, for a template that keeps warm stock: one for each core of a small host is what refilling can use at a time. */
const parkedMax = 2

/**
 * How long the refill waits after stock was taken, in milliseconds: whoever took it is about to run a first command, and a process that starts
 * meanwhile takes the processor from it. Counted from the last take of a burst, and no longer than `refillDelayMsMax` from its first.
 */
const refillDelayMs = 60
const refillDelayMsMax = 200

export class Shelf {
  /** Names it among the shelves; who waits for it waits for this kind. */
  readonly key: string
  /** Of its template. */
  readonly name: string
  readonly target: WarmTarget
  readonly backoff: Backoff
  /** What new machines are made from. */
  edition: Edition
  /** Those before it that have something left, oldest first. */
  readonly old: Edition[] = []
  readonly makings: Set<Making> = new Set()
  /** When something was last taken from it, or wanted. */
  takenAt = 0
  /** Nothing new is stocked: its template is made in another way now, or the pool is closing. */
  retired = false
  /** Somebody wants its snapshot, though no machine of it. */
  wanted = false
  #refillAt = 0
  #burstAt = 0

  constructor(key: string, template: Template, tenant?: string, backoff: Backoff = new Backoff()) {
    this.key = key
    this.name = template.name
    this.edition = new Edition(template, tenant)
    this.target = new WarmTarget(template.sharing === 'global' ? template.warm : { min: 0, max: 0 })
    this.backoff = backoff
  }

  /** Whether stock is kept of it. */
  get stocked(): boolean {
    return !this.retired && this.target.bounds.max > 0
  }

  get editions(): readonly Edition[] {
    return [...this.old, this.edition]
  }

  /** Of every edition. */
  get warm(): number {
    return this.editions.reduce((sum, { warm }) => sum + warm.length, 0)
  }

  get parked(): number {
    return this.editions.reduce((sum, { parked }) => sum + parked.length, 0)
  }

  targetAt(now: number): number {
    return this.retired ? 0 : this.target.at(now)
  }

  parkedTargetAt(now: number): number {
    return this.targetAt(now) > 0 ? parkedMax : 0
  }

  took(now: number): void {
    this.takenAt = now
    this.target.took(now)
    if (this.#refillAt <= now) this.#burstAt = now
    this.#refillAt = Math.min(now + refillDelayMs, this.#burstAt + refillDelayMsMax)
  }

  /** Until when nothing is made for stock. */
  get restsUntil(): number {
    return Math.max(this.#refillAt, this.backoff.until)
  }

  /** As a decision sees it. */
  view(now: number, waiting: number): ShelfView {
    const { key, edition, takenAt, warm, wanted, retired } = this
    return {
      key,
      waiting,
      making: this.makings.size,
      warm: edition.warm.length,
      warmOld: warm - edition.warm.length,
      parked: edition.parked.length,
      parking: edition.parking,
      target: this.targetAt(now),
      parkedTarget: this.parkedTargetAt(now),
      cost: edition.cost,
      built: edition.built,
      building: edition.building !== undefined,
      wanted: wanted && !edition.built && !retired,
      resting: this.restsUntil > now,
      takenAt,
    }
  }

  /** When there may be something to do of which nobody else will tell; infinity when there will not. */
  changesAt(now: number): number {
    const missing = this.edition.warm.length < this.targetAt(now) || this.edition.parked.length < this.parkedTargetAt(now)
    const rested = missing && this.restsUntil > now ? this.restsUntil : Number.POSITIVE_INFINITY
    const shrinks = this.retired ? undefined : this.target.changesAt()
    return Math.min(rested, shrinks ?? Number.POSITIVE_INFINITY)
  }

  /** A new edition takes the place of this one, which is left with what was made from it. */
  roll(next: Edition): void {
    this.old.push(this.edition)
    this.edition = next
  }
}
