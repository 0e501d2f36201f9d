/** The life of one microVM: running, ending, ended; whoever made it, by booting or by cloning. */

import { AgentConnection, type ProcessSpec } from '../agent/index.ts'
import { type CallOptions, withDeadline } from '../common/deadline.ts'
import { type Deferred, deferred } from '../common/deferred.ts'
import { WarmcellError } from '../errors.ts'
import type { Vm, VmEnd } from '../hypervisor/index.ts'
import { describeEnd, evidenceOf } from './describe-end.ts'
import { freshIdentity, nsOfAMs, wallClockNs } from './identity.ts'

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
  /** Resolves, never rejects, when nothing of the machine is left. */
  readonly ended: Promise<MachineEnd>
  readonly #ended: Deferred<MachineEnd> = deferred()
  readonly #vm: Vm
  #connection: AgentConnection
  #state: MachineState = { name: 'running' }

  constructor(id: string, vm: Vm, connection: AgentConnection) {
    this.id = id
    this.#vm = vm
    this.ended = this.#ended.promise
    void vm.ended.then((end) => this.#crash(describeEnd(end)))
    this.#connection = this.#heard(connection)
  }

  get connection(): AgentConnection {
    return this.#connection
  }

  /** The guest stands still, takes no processor time, and answers nothing. Only for one that is idle: what is under way would be late. */
  pause(): void {
    this.#vm.pause()
  }

  /**
   * The guest goes on, with the time of now.
   *
   * @throws `GUEST_UNREACHABLE`, `PROTOCOL`, `TIMEOUT` or `BOOT_FAILED`: it is of no use to anybody.
   */
  async wake(options: CallOptions = {}): Promise<void> {
    this.#vm.resume()
    await this.connection.setClock(wallClockNs(), options)
  }

  /** The guest's clock shows a time that is past by so much, until it is set again: a clone's is, with its identity. @throws as `wake`. */
  async setBack(behindMs: number, options: CallOptions = {}): Promise<void> {
    await this.connection.setClock(wallClockNs() - BigInt(behindMs) * nsOfAMs, options)
  }

  /**
   * Runs a program to its end and throws away what it prints, so that a tenant's first one finds the way trodden: emulated, the code is translated, and in
   * any case the pages that it writes are the machine's own. A program that is not there goes half the way, and is no failure.
   *
   * @throws `GUEST_UNREACHABLE`, `PROTOCOL`, `TIMEOUT`, or the signal's reason.
   */
  async exercise(program: ProcessSpec, options: CallOptions = {}): Promise<void> {
    await withDeadline(`Exercising ${this.id}`, options, async (signal) => {
      try {
        const process = await this.connection.start(program, { signal })
        for (const output of [process.stdout, process.stderr]) output.resume()
        await process.exited
      } catch (error) {
        if (!WarmcellError.is(error) || error.code !== 'SPAWN_FAILED') throw error
      }
      // Answered once the agent has nothing left to do.
      await this.connection.ping({ signal })
    })
  }

  /**
   * Leaves the machine in its files as it is now, has somebody copy them while the guest stands still, and goes on in them, with the time of now. Programs that run are
   * nobody's from then on, as in a clone.
   *
   * @throws as `save`; what the copying throws, and then it stands still. Whoever holds it ends it.
   */
  async passThrough(copying: () => Promise<void>, options: CallOptions = {}): Promise<void> {
    await this.#leave(options)
    await copying()
    this.connection.release()
    this.#connection = this.#heard(new AgentConnection(this.#vm.agentPipe))
    await withDeadline(`Going on with ${this.id}`, options, () => this.#vm.goOn())
    await this.connection.handshake(freshIdentity(this.id, 'template'), options)
  }

  /**
   * Ends the machine and leaves it in the files that its spec has named for that, or in those it was reopened in: a snapshot.
   *
   * @throws `BOOT_FAILED`, `GUEST_UNREACHABLE`, `PROTOCOL`, `TIMEOUT`. The machine has ended all the same.
   */
  async save(options: CallOptions = {}): Promise<void> {
    try {
      await this.#leave(options)
    } finally {
      await this.destroy()
    }
  }

  async #leave(options: CallOptions): Promise<void> {
    await this.connection.quiesce(options)
    await withDeadline(`Saving ${this.id}`, options, () => this.#vm.save())
  }

  /** SIGKILL; resolves when nothing is left. Idempotent: concurrent callers share one end. */
  async destroy(): Promise<void> {
    this.#end({ kind: 'destroyed' })
    await this.ended
  }

  /** A connection that fails ends the machine. */
  #heard(connection: AgentConnection): AgentConnection {
    void connection.ended.then((error) => {
      if (error !== undefined) this.#crash(error.message.replace(/\.$/, ''), error)
    })
    return connection
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
        void this.#vm.kill().then((end) => this.#enter({ name: 'ended', end: this.#endOf(next.cause, end) }))
        return
      case 'ended':
        this.#ended.resolve(next.end)
        return
      default:
        next satisfies never
    }
  }

  /** The console is read last: what the guest printed while it went down explains the crash. */
  #endOf(cause: EndCause, end: VmEnd): MachineEnd {
    if (cause.kind === 'destroyed') return cause
    const consoleTail = this.#vm.consoleTail()
    const panic = /Kernel panic[^\n]*/.exec(consoleTail)?.[0]
    return { ...cause, detail: evidenceOf(end) ?? panic ?? cause.detail, consoleTail }
  }
}
