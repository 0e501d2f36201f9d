/** The hard caps of a pool: what is reserved, and whether more fits. */

export interface BudgetLimits {
  readonly memoryMib: number
  readonly sandboxes: number
}

export class Budget {
  readonly limits: BudgetLimits
  #memoryMib = 0
  #sandboxes = 0

  constructor(limits: BudgetLimits) {
    this.limits = limits
  }

  /** Takes room for one microVM. Returns what gives it back (once), or why there is none. */
  reserve(memoryMib: number): { release: () => void } | { refusal: string } {
    if (this.#sandboxes + 1 > this.limits.sandboxes)
      return { refusal: `all ${this.limits.sandboxes} sandboxes of the budget are in use` }
    if (this.#memoryMib + memoryMib > this.limits.memoryMib) {
      return {
        refusal: `${this.#memoryMib} of ${this.limits.memoryMib} MiB of the budget are in use and this one may take ${memoryMib}`,
      }
    }
    this.#sandboxes++
    this.#memoryMib += memoryMib
    let held = true
    return {
      release: () => {
        if (!held) return
        held = false
        this.#sandboxes--
        this.#memoryMib -= memoryMib
      },
    }
  }
}
