/** Why a create is not served, in words. */

import type { Budget, Cost } from './budget.ts'
import { hasRoomFor, type ShelfView, type World } from './plan.ts'
import type { Shelf } from './shelf.ts'

/** How things stand for a create. */
export interface Standing {
  readonly shelf: Shelf
  /** How many wait for the same. */
  readonly waiting: number
  readonly shelves: readonly ShelfView[]
  readonly budget: Budget
  readonly mode: World['mode']
}

const nothing: Cost = { memoryMib: 0, sandboxes: 0 }

const othersFirst = 'creates before this one take what is left'

/** Why it cannot even wait; undefined when it can. */
export function whyRefused({ shelf, shelves, budget, mode }: Standing): string | undefined {
  const { cost } = shelf.edition
  const shortage = budget.shortage(cost)
  if (budget.holds(cost) === 0) return shortage ?? 'it is larger than the budget'
  if (mode !== 'fail') return undefined
  if (shelf.stocked) return `nothing of '${shelf.name}' is warm`
  // There is no stock to wait for: one is made if there is room for it, and for those before it.
  return hasRoomFor(cost, shelves, budget) ? undefined : (shortage ?? othersFirst)
}

/** What it was that did not come in time. */
export function whatIsWaitedFor(standing: Standing): string {
  const { shelf, waiting, budget } = standing
  if (lacksRoom(standing)) return budget.shortage(shelf.edition.cost) ?? othersFirst
  if (!shelf.edition.built) return `'${shelf.name}' was still being built`
  return `${shelf.makings.size} of '${shelf.name}' were in the making for ${waiting} who waited`
}

/** Whether those in line cannot all be served, even at the expense of all stock. */
export function lacksRoom({ shelves, budget }: Standing): boolean {
  return !hasRoomFor(nothing, shelves, budget)
}
