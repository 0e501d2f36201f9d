/** Undo steps, written on the line after what they undo, run last in first out. */

type Undo = () => void | Promise<void>

/**
 * A stack of undo steps. Whoever acquires a thing defers its release at once; `run` ends everything even when a step fails.
 * (Node 20 has no AsyncDisposableStack.)
 */
export class Cleanup {
  #steps: Undo[] = []

  defer(undo: Undo): void {
    this.#steps.push(undo)
  }

  /** Forgets the steps: what was acquired now belongs to somebody else. */
  release(): void {
    this.#steps = []
  }

  /** Runs every step in reverse order. The first failure is thrown when all have run. */
  async run(): Promise<void> {
    const failures: unknown[] = []
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step()
      } catch (failure) {
        failures.push(failure)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
}
