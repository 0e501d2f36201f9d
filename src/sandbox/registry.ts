/** What runs in one sandbox, in the order in which it was started. */

import type { ProcessSpec } from '../agent/index.ts'
import type { Process, ProcessInfo } from './process/contract.ts'
import type { Pty } from './pty/contract.ts'

/** One of the two: a process without a terminal, or one at a terminal. */
type Handle = { readonly process: Process } | { readonly pty: Pty }

export class Registry {
  readonly #running = new Map<string, { readonly info: ProcessInfo; readonly handle: Handle }>()
  #ids = 0

  /** Unique in the sandbox, for processes and terminals alike. */
  nextId(): string {
    return `p${++this.#ids}`
  }

  /** @returns what takes it out again, once it has ended */
  add(id: string, spec: Pick<ProcessSpec, 'arguments' | 'user'>, pid: number, handle: Handle): () => void {
    const { arguments: command, user } = spec
    this.#running.set(id, { info: { id, pid, command: [...command], user, startedAt: new Date(), pty: 'pty' in handle }, handle })
    return () => void this.#running.delete(id)
  }

  list(): ProcessInfo[] {
    return [...this.#running.values()].map(({ info }) => ({ ...info, command: [...info.command] }))
  }

  process(id: string): Process | undefined {
    const handle = this.#running.get(id)?.handle
    return handle !== undefined && 'process' in handle ? handle.process : undefined
  }

  pty(id: string): Pty | undefined {
    const handle = this.#running.get(id)?.handle
    return handle !== undefined && 'pty' in handle ? handle.pty : undefined
  }
}
