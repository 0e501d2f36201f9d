/** The files of one sandbox. */

import type { SandboxContext } from '../context.ts'
import { UnimplementedError } from '../process/unimplemented.ts'
import type { Files } from './contract.ts'

export class SandboxFiles implements Files {
  readonly #context: SandboxContext

  constructor(context: SandboxContext) {
    this.#context = context
  }

  read(..._: unknown[]): never {
    this.#todo()
  }

  write(..._: unknown[]): never {
    this.#todo()
  }

  list(..._: unknown[]): never {
    this.#todo()
  }

  stat(..._: unknown[]): never {
    this.#todo()
  }

  exists(..._: unknown[]): never {
    this.#todo()
  }

  mkdir(..._: unknown[]): never {
    this.#todo()
  }

  rename(..._: unknown[]): never {
    this.#todo()
  }

  remove(..._: unknown[]): never {
    this.#todo()
  }

  watch(..._: unknown[]): never {
    this.#todo()
  }

  upload(..._: unknown[]): never {
    this.#todo()
  }

  download(..._: unknown[]): never {
    this.#todo()
  }

  #todo(): never {
    throw new UnimplementedError(this.#context.id)
  }
}
