/** The terminals of one sandbox. */

import type { SandboxContext } from '../context.ts'
import { UnimplementedError } from '../process/unimplemented.ts'
import type { Ptys } from './contract.ts'

export class SandboxPtys implements Ptys {
  readonly #context: SandboxContext

  constructor(context: SandboxContext) {
    this.#context = context
  }

  create(..._: unknown[]): never {
    this.#todo()
  }

  get(..._: unknown[]): never {
    this.#todo()
  }

  #todo(): never {
    throw new UnimplementedError(this.#context.id)
  }
}
