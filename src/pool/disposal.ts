/** What is on its way out, so that whoever closes the pool can wait for it. */

import type { Room } from './budget.ts'

/** A machine, or what was to become one. */
interface Ending {
  destroy(): Promise<void>
}

/** In stock. */
export interface Stocked<T> {
  readonly item: T
  readonly room: Room
}

export class Disposal {
  readonly #ending = new Set<Promise<void>>()

  /** Ends one that belongs to nobody. Resolves when nothing of it is left. */
  async end(one: Ending): Promise<void> {
    const ending = one.destroy()
    this.#ending.add(ending)
    await ending
    this.#ending.delete(ending)
  }

  /** Throws one away that is in stock, unless somebody was faster. Its room counts as leaving from now on. */
  async discard<T extends Ending>(stock: Stocked<T>[], one: Stocked<T>): Promise<void> {
    if (!takeOut(stock, one)) return
    one.room.leaves()
    await this.end(one.item)
  }

  /** Resolves when everything is gone that was on its way out. */
  async settled(): Promise<void> {
    while (this.#ending.size > 0) await Promise.all(this.#ending)
  }
}

/** Takes one out of a stock. False when somebody was faster. */
export function takeOut<T>(stock: T[], one: T): boolean {
  const at = stock.indexOf(one)
  if (at !== -1) stock.splice(at, 1)
  return at !== -1
}
