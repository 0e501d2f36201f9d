/** Who is next: a waiting line that is fair across tenants by their weights, and first come first served within one. */

/**
 * Stride scheduling (Waldspurger and Weihl, "Stride Scheduling: Deterministic Proportional-Share Resource Management", MIT/LCS/TM-528, 1995): each tenant has a
 * _pass_, the one with the lowest is next, and being served moves it on by 1 / weight. Virtual time is the pass of who was served last. A tenant that
 * comes (back) begins at virtual time, or where its last service left it if that is later: being away earns nothing, and leaving and coming back
 * gains nothing. Only being served costs: who gives up has lost nothing by having waited.
 *
 * Every waiter waits for something of one kind (a template). Passes are the tenant's over all kinds; within a tenant and a kind it is first come first served.
 */
export class FairLine<T> {
  readonly #lanes = new Map<string | undefined, Lane<T>>()
  readonly #byKind = new Map<string, Set<Lane<T>>>()
  readonly #sizes = new Map<string, number>()
  /** Passes of tenants that have left while they were ahead of virtual time. */
  readonly #left = new Map<string | undefined, number>()
  #sweepAt = sweepAtLeast
  #virtualTime = 0
  #arrivals = 0

  /** Stands at the end of its tenant's queue. Returns what leaves the line; false when it was not in it any more. */
  join(kind: string, tenant: string | undefined, weight: number, value: T): () => boolean {
    const lane = this.#lane(tenant)
    lane.stride = 1 / weight
    const place: Place<T> = { value, arrival: this.#arrivals++ }
    queueOf(lane, kind).add(place)
    laneSet(this.#byKind, kind).add(lane)
    this.#sizes.set(kind, this.waiting(kind) + 1)
    return () => this.#remove(lane, kind, place)
  }

  /** How many wait for this kind. */
  waiting(kind: string): number {
    return this.#sizes.get(kind) ?? 0
  }

  /** Who would be served next, of those who wait for this kind. */
  first(kind: string): T | undefined {
    return this.#next(kind)?.place.value
  }

  /** Serves the next one. */
  take(kind: string): T | undefined {
    const next = this.#next(kind)
    if (next === undefined) return undefined
    const { lane, place } = next
    this.#virtualTime = Math.max(this.#virtualTime, lane.pass)
    lane.pass += lane.stride
    this.#remove(lane, kind, place)
    return place.value
  }

  /** The kinds that somebody waits for, in the order of whose turn it is. */
  kindsInTurn(): string[] {
    return [...this.#byKind.keys()]
      .flatMap((kind) => {
        const next = this.#next(kind)
        return next === undefined ? [] : [{ kind, pass: next.lane.pass, arrival: next.place.arrival }]
      })
      .sort((a, b) => a.pass - b.pass || a.arrival - b.arrival)
      .map(({ kind }) => kind)
  }

  /** Everybody out, as they would have been served. */
  *drain(kind: string): Generator<T> {
    for (let value = this.take(kind); value !== undefined; value = this.take(kind)) yield value
  }

  #next(kind: string): { lane: Lane<T>; place: Place<T> } | undefined {
    let best: { lane: Lane<T>; place: Place<T> } | undefined
    for (const lane of this.#byKind.get(kind) ?? []) {
      const place = lane.queues.get(kind)?.values().next().value
      if (place === undefined) continue
      const sooner =
        best === undefined || lane.pass < best.lane.pass || (lane.pass === best.lane.pass && place.arrival < best.place.arrival)
      if (sooner) best = { lane, place }
    }
    return best
  }

  #lane(tenant: string | undefined): Lane<T> {
    const known = this.#lanes.get(tenant)
    if (known !== undefined) return known
    const lane: Lane<T> = { tenant, pass: Math.max(this.#virtualTime, this.#left.get(tenant) ?? 0), stride: 1, queues: new Map() }
    this.#left.delete(tenant)
    this.#lanes.set(tenant, lane)
    return lane
  }

  #remove(lane: Lane<T>, kind: string, place: Place<T>): boolean {
    const queue = lane.queues.get(kind)
    if (!queue?.delete(place)) return false
    const size = this.waiting(kind) - 1
    if (size > 0) this.#sizes.set(kind, size)
    else this.#sizes.delete(kind)
    if (queue.size > 0) return true
    lane.queues.delete(kind)
    const lanes = this.#byKind.get(kind)
    lanes?.delete(lane)
    if (lanes?.size === 0) this.#byKind.delete(kind)
    if (lane.queues.size === 0) this.#leave(lane)
    return true
  }

  #leave(lane: Lane<T>): void {
    this.#lanes.delete(lane.tenant)
    if (this.#lanes.size === 0) {
      // Nobody waits: there is nothing to be fair about, and the past counts no more.
      this.#left.clear()
      this.#virtualTime = 0
      return
    }
    if (lane.pass > this.#virtualTime) this.#left.set(lane.tenant, lane.pass)
    if (this.#left.size < this.#sweepAt) return
    for (const [tenant, pass] of this.#left) if (pass <= this.#virtualTime) this.#left.delete(tenant)
    this.#sweepAt = Math.max(sweepAtLeast, 2 * this.#left.size)
  }
}

/** Fewer passes of tenants that have left are not worth looking through. */
const sweepAtLeast = 64

interface Place<T> {
  readonly value: T
  readonly arrival: number
}

interface Lane<T> {
  readonly tenant: string | undefined
  pass: number
  stride: number
  /** Sets keep the order of arrival, and forget in constant time. */
  readonly queues: Map<string, Set<Place<T>>>
}

function queueOf<T>(lane: Lane<T>, kind: string): Set<Place<T>> {
  const queue = lane.queues.get(kind) ?? new Set()
  lane.queues.set(kind, queue)
  return queue
}

function laneSet<T>(byKind: Map<string, Set<Lane<T>>>, kind: string): Set<Lane<T>> {
  const lanes = byKind.get(kind) ?? new Set()
  byKind.set(kind, lanes)
  return lanes
}
