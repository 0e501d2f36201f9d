/** The life of one microVM: running, ending, ended; whoever made it, by booting or by cloning. */

import type { AgentConnection } from '../agent/index.ts'
import { type Deferred, deferred } from '../common/deferred.ts'
import type { WarmcellError } from '../errors.ts'
import type { Vm } from '../hypervisor/index.ts'

/** Why a machine ended: somebody destroyed it, or it ended by itself, with what is known of that. */
export type MachineEnd =
  | { readonly kind: 'destroyed' }
  | { readonly kind: 'crashed'; readonly detail: string; readonly consoleTail: string; readonly error?: WarmcellError }

type EndCause =
  | { readonly kind: 'destroyed' }
  | { readonly kind: 'crashed'; readonly detail: string; readonly error?: WarmcellError }

type MachineState =
  | { readonly name: 'running' }
  | { readonly name: 'ending'; readonly cause: EndCause }
  | { readonly name: 'ended'; readonly end: MachineEnd }

/**
 * A microVM whose agent has answered. It ends once, for one reason: the first of being destroyed, its process ending, and its
 * connection failing. In each case the process is gone when `ended` resolves.
 */
export class Machine {
  readonly id: string
  readonly connection: AgentConnection
  /** Resolves, never rejects, when nothing of the machine is left. */
  readonly ended: Promise<MachineEnd>
  readonly #ended: Deferred<MachineEnd> = deferred()
  readonly #vm: Vm
  #state: MachineState = { name: 'running' }

  constructor(id: string, vm: Vm, connection: AgentConnection) {
    this.id = id
    this.connection = connection
    this.#vm = vm
    this.ended = this.#ended.promise
    void vm.ended.then(({ exitCode, signal }) => this.#crash(`its process ended with ${signal ?? `exit code ${exitCode}`}`))
    void connection.ended.then((error) => {
      if (error !== undefined) this.#crash(error.message.replace(/\.$/, ''), error)
    })
  }

  /** SIGKILL; resolves when nothing is left. Idempotent: concurrent callers share one end. */
  async destroy(): Promise<void> {
    this.#end({ kind: 'destroyed' })
    await this.ended
  }

  #crash(detail: string, error?: WarmcellError): void {
    this.#end({ kind: 'crashed', detail, ...(error && { error }) })
  }

  #end(cause: EndCause): void {
    if (this.#state.name === 'running') this.#enter({ name: 'ending', cause })
  }

  #enter(next: MachineState): void {
    this.#state = next
    switch (next.name) {
      case 'running':
        return
      case 'ending':
        this.connection.close()
        void this.#vm.kill().then(() => this.#enter({ name: 'ended', end: this.#endOf(next.cause) }))
        return
      case 'ended':
        this.#ended.resolve(next.end)
        return
      default:
        next satisfies never
    }
  }

  /** The console is read last: what the guest printed while it went down explains the crash. */
  #endOf(cause: EndCause): MachineEnd {
    if (cause.kind === 'destroyed') return cause
    const consoleTail = this.#vm.consoleTail()
    const panic = /Kernel panic[^\n]*/.exec(consoleTail)?.[0]
    return { ...cause, detail: panic ?? cause.detail, consoleTail }
  }
}
