/** The ports of one sandbox. */

import type { SandboxContext } from '../context.ts'
import { UnimplementedError } from '../process/unimplemented.ts'
import type { Ports } from './contract.ts'

export class SandboxPorts implements Ports {
  readonly #context: SandboxContext

  constructor(context: SandboxContext) {
    this.#context = context
  }

  expose(..._: unknown[]): never {
    this.#todo()
  }

  waitFor(..._: unknown[]): never {
    this.#todo()
  }

  connect(..._: unknown[]): never {
    this.#todo()
  }

  #todo(): never {
    throw new UnimplementedError(this.#context.id)
  }
}
