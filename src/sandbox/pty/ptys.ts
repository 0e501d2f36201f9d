/** The terminals of one sandbox: opening them, and finding them again. */

import { definedOnly } from '../../common/defined.ts'
import { guestPath } from '../../common/guest-path.ts'
import { assertValid } from '../../common/validate.ts'
import type { SandboxContext } from '../context.ts'
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
    const { connection, env, cwd, user } = this.#context
    const { command = loginShell, cols = sizeDefault.cols, rows = sizeDefault.rows, signal, timeoutMs } = options
    const runAs = options.user ?? user
    const guest = await this.#context.call(async () => {
      signal?.throwIfAborted()
      return connection.start(
        {
          arguments: command,
          environment: definedOnly({ ...env, ...options.env }),
          cwd: guestPath(cwd, options.cwd ?? ''),
          user: runAs,
          stdin: 'pipe',
          terminal: { columns: cols, rows },
        },
        definedOnly({ signal, timeoutMs }) as { signal?: AbortSignal; timeoutMs?: number },
      )
    })
    const id = this.#registry.nextId()
    const pty = new SandboxPty(guest, this.#context, { id, cols, rows, onEnd: () => forget() })
    const info = { id, pid: guest.pid, command: [...command], user: runAs, startedAt: new Date(), pty: true }
    const forget = this.#registry.add(info, { pty })
    return pty
  }

  get(id: string): Pty | undefined {
    return this.#registry.pty(id)
  }
}
