/** The hard caps of a pool: what is taken, and whether more fits. */

export interface BudgetLimits {
  readonly memoryMib: number
  readonly sandboxes: number
}

/** What something takes of both. */
export type Cost = BudgetLimits

/** A part of the budget that is taken. */
export interface Room {
  readonly cost: Cost
  /** It is on its way out: who needs room need not throw out more for it. */
  leaves(): void
  /** Gives it back. Only the first call does. */
  release(): void
}

export class Budget {
  readonly limits: BudgetLimits
  #memoryMib = 0
  #sandboxes = 0
  #leavingMib = 0
  #leavingSandboxes = 0

  constructor(limits: BudgetLimits) {
    this.limits = limits
  }

  get used(): BudgetLimits {
    return { memoryMib: this.#memoryMib, sandboxes: this.#sandboxes }
  }

  /** How many of these it holds when it is empty. */
  holds({ memoryMib, sandboxes }: Cost): number {
    return Math.floor(Math.min(this.limits.memoryMib / memoryMib, this.limits.sandboxes / sandboxes))
  }

  fits(cost: Cost): boolean {
    return this.#fitsWithout(cost, { memoryMib: 0, sandboxes: 0 })
  }

  /** Whether it fits once what is on its way out has left. */
  willFit(cost: Cost): boolean {
    return this.willFitWithout(cost, { memoryMib: 0, sandboxes: 0 })
  }

  /** Whether it fits once that and `gone` have left. */
  willFitWithout(cost: Cost, gone: Cost): boolean {
    return this.#fitsWithout(cost, {
      memoryMib: gone.memoryMib + this.#leavingMib,
      sandboxes: gone.sandboxes + this.#leavingSandboxes,
    })
  }

  #fitsWithout(cost: Cost, gone: Cost): boolean {
    return (
      this.#sandboxes - gone.sandboxes + cost.sandboxes <= this.limits.sandboxes &&
      this.#memoryMib - gone.memoryMib + cost.memoryMib <= this.limits.memoryMib
    )
  }

  /** Why it does not fit; undefined when it does. */
  shortage({ memoryMib, sandboxes }: Cost): string | undefined {
    if (memoryMib > this.limits.memoryMib) return `one takes ${memoryMib} MiB, and the whole budget is ${this.limits.memoryMib}`
    if (this.#sandboxes + sandboxes > this.limits.sandboxes)
      return `all ${this.limits.sandboxes} sandboxes of the budget are in use`
    if (this.#memoryMib + memoryMib > this.limits.memoryMib)
      return `${this.#memoryMib} of ${this.limits.memoryMib} MiB of the budget are in use and this one may take ${memoryMib}`
    return undefined
  }

  /** Takes room: for what fits. */
  take(cost: Cost): Room {
    this.#memoryMib += cost.memoryMib
    this.#sandboxes += cost.sandboxes
    let state: 'held' | 'leaving' | 'released' = 'held'
    return {
      cost,
      leaves: () => {
        if (state !== 'held') return
        state = 'leaving'
        this.#leavingMib += cost.memoryMib
        this.#leavingSandboxes += cost.sandboxes
      },
      release: () => {
        if (state === 'released') return
        if (state === 'leaving') {
          this.#leavingMib -= cost.memoryMib
          this.#leavingSandboxes -= cost.sandboxes
        }
        state = 'released'
        this.#memoryMib -= cost.memoryMib
        this.#sandboxes -= cost.sandboxes
      },
    }
  }
}
