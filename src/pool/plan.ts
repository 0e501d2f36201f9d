/** What to do next, decided from how things stand: pure, so that it can be read and tested without a microVM. */

import type { Budget, Cost } from './budget.ts'
import { parkedCost } from './edition.ts'

/** What the decision needs to know of one template's shelf. */
export interface ShelfView {
  readonly key: string
  /** How many creates wait for it. */
  readonly waiting: number
  /** Machines in the making. */
  readonly making: number
  /** Warm ones of the newest edition, and of those before. */
  readonly warm: number
  readonly warmOld: number
  readonly parked: number
  readonly parking: number
  readonly target: number
  readonly parkedTarget: number
  readonly cost: Cost
  readonly built: boolean
  readonly building: boolean
  /** Its snapshot is wanted for its own sake. */
  readonly wanted: boolean
  /** Nothing is made for stock now: something failed, or somebody has just been served. */
  readonly resting: boolean
  /** When it was last taken from. */
  readonly takenAt: number
}

export interface World {
  readonly shelves: readonly ShelfView[]
  /** The shelves that somebody waits for, in the order of whose turn it is. */
  readonly inTurn: readonly ShelfView[]
  readonly budget: Pick<Budget, 'fits' | 'willFit' | 'willFitWithout'>
  /** How many more may be made at once. */
  readonly slots: number
  /** 'wait': creates wait for stock; no more is made for them than would be made for stock, and never less than one. */
  readonly mode: 'boot' | 'wait' | 'fail'
}

/** Stock that is to make room: the oldest of that level. */
export interface GiveWay {
  readonly key: string
  readonly level: 'parked' | 'warm'
  readonly count: number
}

export type Step =
  | { readonly kind: 'build'; readonly key: string }
  | { readonly kind: 'make'; readonly key: string }
  | { readonly kind: 'park'; readonly key: string }
  | { readonly kind: 'give way'; readonly ways: readonly GiveWay[] }
  | { readonly kind: 'rest' }

export function decide(world: World): Step {
  return forTheLine(world) ?? forStock(world) ?? toPark(world) ?? { kind: 'rest' }
}

/** Whether all who wait, and one more of this cost, could be served at the expense of all stock. */
export function hasRoomFor(cost: Cost, shelves: readonly ShelfView[], budget: World['budget']): boolean {
  let [wanted, yielding] = [cost, { memoryMib: 0, sandboxes: 0 }]
  for (const shelf of shelves) {
    wanted = sum(wanted, shelf.cost, Math.max(0, shelf.waiting - shelf.making))
    yielding = sum(sum(yielding, shelf.cost, shelf.warm + shelf.warmOld), parkedCost, shelf.parked)
  }
  return budget.willFitWithout(wanted, yielding)
}

function sum(a: Cost, b: Cost, times: number): Cost {
  return { memoryMib: a.memoryMib + b.memoryMib * times, sandboxes: a.sandboxes + b.sandboxes * times }
}

/** How many are made on behalf of those who wait. */
export function lineDemand({ waiting, target }: Pick<ShelfView, 'waiting' | 'target'>, mode: World['mode']): number {
  return mode === 'wait' ? Math.min(waiting, Math.max(1, target)) : waiting
}

/** How many more in the making would fill the stock up. */
function stockDemand(shelf: ShelfView, mode: World['mode']): number {
  return shelf.target - shelf.warm - Math.max(0, shelf.making - lineDemand(shelf, mode))
}

/**
 * In the order of whose turn it is; who is next and finds no room is waited for, or whoever wants little would always go before who wants much.
 * That nothing is made for stock meanwhile keeps stock from taking the room.
 */
function forTheLine({ shelves, inTurn, budget, slots, mode }: World): Step | undefined {
  let busy = false
  for (const shelf of inTurn) {
    if (lineDemand(shelf, mode) <= shelf.making) continue
    if (!shelf.built) {
      if (!shelf.building) return { kind: 'build', key: shelf.key }
    } else if (slots === 0) busy = true
    else if (!busy) {
      const cost = costOf(shelf)
      if (budget.fits(cost)) return { kind: 'make', key: shelf.key }
      const ways = budget.willFit(cost) ? [] : whoGivesWay(shelf, cost, shelves, budget, 'all')
      return ways.length > 0 ? { kind: 'give way', ways } : { kind: 'rest' }
    }
  }
  return busy ? { kind: 'rest' } : undefined
}

/** The emptiest shelf first. Stock takes room from nobody but what is parked, and the edition whose place it takes. */
function forStock({ shelves, budget, slots, mode }: World): Step | undefined {
  const wanting = shelves
    .filter((shelf) => !shelf.resting && (stockDemand(shelf, mode) > 0 || shelf.wanted))
    .sort((a, b) => emptiness(b, mode) - emptiness(a, mode))
  for (const shelf of wanting) {
    if (!shelf.built) {
      if (!shelf.building) return { kind: 'build', key: shelf.key }
    } else if (slots > 0 && stockDemand(shelf, mode) > 0) {
      const cost = costOf(shelf)
      if (budget.fits(cost)) return { kind: 'make', key: shelf.key }
      if (budget.willFit(cost)) continue
      if (shelf.warmOld > 0) return { kind: 'give way', ways: [{ key: shelf.key, level: 'warm', count: 1 }] }
      const ways = whoGivesWay(shelf, cost, shelves, budget, 'parked')
      if (ways.length > 0) return { kind: 'give way', ways }
    }
  }
  // What is parked must not take the memory that stock waits for.
  const memoryIsShort = wanting.some(
    ({ cost }) => !budget.fits({ memoryMib: cost.memoryMib + parkedCost.memoryMib, sandboxes: 0 }),
  )
  return memoryIsShort ? { kind: 'rest' } : undefined
}

function emptiness(shelf: ShelfView, mode: World['mode']): number {
  return stockDemand(shelf, mode) / Math.max(1, shelf.target)
}

/** Last of all, where the stock is full. */
function toPark({ shelves, budget, slots, mode }: World): Step | undefined {
  if (slots === 0 || !budget.fits(parkedCost)) return undefined
  const shelf = shelves.find(
    (one) =>
      one.built && !one.resting && one.making === 0 && stockDemand(one, mode) <= 0 && one.parked + one.parking < one.parkedTarget,
  )
  return shelf && { kind: 'park', key: shelf.key }
}

/** A parked process becomes the machine, and its room is given back first. */
function costOf({ cost, parked }: ShelfView): Cost {
  return parked > 0 ? { ...cost, memoryMib: cost.memoryMib - parkedCost.memoryMib } : cost
}

/**
 * The stock of other templates, parked before warm, least recently taken from first: just as much as is needed, or nothing when that is not enough. Of its own
 * parked processes the first one becomes the machine.
 */
function whoGivesWay(
  needy: ShelfView,
  cost: Cost,
  shelves: readonly ShelfView[],
  budget: World['budget'],
  levels: 'parked' | 'all',
): GiveWay[] {
  const sorted = [...shelves].sort((a, b) => a.takenAt - b.takenAt)
  const ways: GiveWay[] = []
  const gone = { memoryMib: 0, sandboxes: 0 }
  const give = (shelf: ShelfView, level: GiveWay['level'], stock: number, each: Cost): boolean => {
    for (let count = 1; count <= stock; count++) {
      gone.memoryMib += each.memoryMib
      gone.sandboxes += each.sandboxes
      if (count === stock || budget.willFitWithout(cost, gone)) {
        ways.push({ key: shelf.key, level, count })
        break
      }
    }
    return budget.willFitWithout(cost, gone)
  }
  const parkedOf = (shelf: ShelfView): number => (shelf === needy ? Math.max(0, shelf.parked - 1) : shelf.parked)
  // They have no sandbox to give.
  const memoryIsShort = !budget.willFit({ memoryMib: cost.memoryMib, sandboxes: 0 })
  if (memoryIsShort && sorted.some((shelf) => give(shelf, 'parked', parkedOf(shelf), parkedCost))) return ways
  if (levels === 'parked') return []
  const others = sorted.filter((shelf) => shelf !== needy)
  return others.some((shelf) => give(shelf, 'warm', shelf.warm + shelf.warmOld, shelf.cost)) ? ways : []
}
