/** What must hold while everything happens at once: who has which sandbox, what was done to it, and what its calls may therefore come to. */

import type { Pool, Sandbox } from '../../src/index.ts'
import { WarmcellError } from '../../src/index.ts'
import type { Random } from './random.ts'

/** A promise that was broken. */
class Broken extends Error {}

export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Broken(what)
}

/** One sandbox, as it must be. */
export interface Life {
  readonly sandbox: Sandbox
  readonly tenant: string
  /** A word of its tenant's, found nowhere else. */
  readonly canary: string
  /** What has been done to it, of which its calls may hear. */
  harm: 'none' | 'destroyed' | 'crashed'
  /** Its files, by path, as they were last written by somebody who has finished. */
  readonly files: Map<string, string>
  serial: number
}

export class World {
  readonly pool: Pool
  readonly random: Random
  readonly lives: Map<string, Life> = new Map()
  /** Errors that were as they should be, by code. */
  readonly told: Map<string, number> = new Map()
  /** When something was last killed that belongs to nobody: what is made at that time may be told of it. */
  #strayAt = Number.NEGATIVE_INFINITY
  readonly #strays = new Set<string>()
  #canaries = 0

  constructor(pool: Pool, random: Random) {
    this.pool = pool
    this.random = random
  }

  newCanary(tenant: string): string {
    return `canary-${tenant}-${this.#canaries++}-end`
  }

  add(sandbox: Sandbox, tenant: string, canary: string): Life {
    must(!this.lives.has(sandbox.id), `${sandbox.id} was given out twice`)
    const life: Life = {
      sandbox,
      tenant,
      canary,
      harm: this.#strays.has(sandbox.id) ? 'crashed' : 'none',
      files: new Map(),
      serial: 0,
    }
    this.lives.set(sandbox.id, life)
    sandbox.once('destroyed', (reason) => {
      this.lives.delete(sandbox.id)
      // Said by throwing where nobody catches it: that ends the run, as it should.
      if (reason === 'crash') must(life.harm === 'crashed', `${sandbox.id} crashed, and nobody had done anything to it`)
      else
        must(life.harm !== 'none' || reason === 'pool-closed', `${sandbox.id} ended by '${reason}', and nobody had asked for it`)
    })
    return life
  }

  /** One that nothing has been done to; undefined when there is none. */
  someone(): Life | undefined {
    const well = [...this.lives.values()].filter(({ harm }) => harm === 'none')
    return well.length === 0 ? undefined : this.random.of(well)
  }

  /** One is killed that has no tenant. It may be handed over all the same, where its last answer was on its way. */
  stray(id: string): void {
    this.#strayAt = performance.now()
    this.#strays.add(id)
  }

  get recentlyStray(): boolean {
    return performance.now() - this.#strayAt < 30_000
  }

  /** Accepts an error that follows from what was done; everything else is a broken promise. */
  accept(error: unknown, what: string, life: Life | undefined, ...codes: string[]): void {
    if (error instanceof Broken) throw error
    must(WarmcellError.is(error), `${what}: an error that is none of warmcell's: ${String((error as Error)?.stack ?? error)}`)
    // What stands still is not known to have ended until that is found.
    const harmed = life === undefined || life.harm === 'none' ? [] : ['SANDBOX_GONE', 'GUEST_UNREACHABLE']
    must(
      [...codes, ...harmed].includes(error.code),
      `${what}: ${error.code}, with harm '${life?.harm ?? 'none'}' ${error.message}`,
    )
    this.told.set(error.code, (this.told.get(error.code) ?? 0) + 1)
  }
}
