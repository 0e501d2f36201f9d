/** The terminals of one sandbox: opening them, and finding them again. */

import { callOptionsOf } from '../../common/deadline.ts'
import { assertValid } from '../../common/validate.ts'
import type { SandboxContext } from '../context.ts'
import { specOf } from '../process/spec.ts'
import type { Registry } from '../registry.ts'
import type { Pty, PtyOptions, Ptys } from './contract.ts'
import { loginShell, ptySchema, sizeDefault } from './options.ts'
import { SandboxPty } from './pty.ts'

export class SandboxPtys implements Ptys {
  readonly #context: SandboxContext
  readonly #registry: Registry

  constructor(context: SandboxContext, registry: Registry) {
    this.#context = context
    this.#registry = registry
  }

  async create(options: PtyOptions = {}): Promise<Pty> {
    assertValid(ptySchema, options, 'pty.create')
    const { command = loginShell, cols = sizeDefault.cols, rows = sizeDefault.rows, signal } = options
    const spec = specOf(this.#context, command, options)
    const guest = await this.#context.call(async () => {
      signal?.throwIfAborted()
      const terminal = { columns: cols, rows }
      return this.#context.connection.start({ ...spec, stdin: 'pipe', terminal }, callOptionsOf(options))
    })
    const id = this.#registry.nextId()
    const pty = new SandboxPty(guest, this.#context, { id, cols, rows, onEnd: () => forget() })
    const forget = this.#registry.add(id, spec, guest.pid, { pty })
    return pty
  }

  get(id: string): Pty | undefined {
    return this.#registry.pty(id)
  }
}
