/** What a tenant does with one microVM, from the moment it is theirs until it is gone. */

import type { CallOptions } from '../common/deadline.ts'
import { Emitter } from '../common/emitter.ts'
import { assertValid, callOptions, durationMs } from '../common/validate.ts'
import { attributed, type DestroyReason, SandboxGoneError, WarmcellError } from '../errors.ts'
import type { ConfinementInfo } from '../host/index.ts'
import type { Isolation } from '../hypervisor/index.ts'
import type { Machine, MachineEnd } from '../machine/index.ts'
import { SandboxCode } from './code/code.ts'
import type { CodeResult, RunCodeOptions } from './code/contract.ts'
import type { SandboxContext } from './context.ts'
import type { Sandbox, SandboxEvents, SandboxInfo, SandboxState, SandboxUsage } from './contract.ts'
import { SandboxFiles } from './files/files.ts'
import { Lifetime, type LifetimeOptions } from './lifetime.ts'
import { SandboxPorts } from './ports/ports.ts'
import type { Process } from './process/contract.ts'
import type { Command, ExecOptions, SpawnOptions } from './process/options.ts'
import { SandboxProcesses } from './process/processes.ts'
import type { ExecResult } from './process/result.ts'
import { SandboxPtys } from './pty/ptys.ts'
import { Registry } from './registry.ts'
import { usageOf } from './usage.ts'

/** What the pool has bound to a sandbox. */
export interface SandboxBinding extends LifetimeOptions {
  readonly tenant?: string
  readonly template: string
  readonly origin: SandboxInfo['origin']
  readonly isolation: Isolation
  readonly confinement: ConfinementInfo
  readonly createdAt: Date
  readonly createMs: number
  readonly metadata: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly user: string
  readonly cwd: string
  /** Who answers `runCode`: by language, the guest's port; the first is the default. */
  readonly interpreters: Readonly<Record<string, { readonly port: number }>>
  /** Told how long the first exec took, from call to result, in milliseconds. */
  readonly onFirstExec?: (ms: number) => void
}

type State =
  | { readonly name: 'running' }
  | { readonly name: 'destroying'; readonly reason: DestroyReason }
  | { readonly name: 'destroyed'; readonly reason: DestroyReason }
  | { readonly name: 'crashed'; readonly detail: string; readonly consoleTail: string; readonly cause?: WarmcellError }

/** How long a failed call waits for evidence that the microVM has ended before it says "unreachable", in milliseconds. */
const evidenceMs = 2_000

export class TenantSandbox extends Emitter<SandboxEvents> implements Sandbox {
  readonly id: string
  readonly tenant?: string
  readonly files: SandboxFiles
  readonly pty: SandboxPtys
  readonly ports: SandboxPorts
  readonly processes: SandboxProcesses
  readonly #machine: Machine
  readonly #binding: SandboxBinding
  readonly #lifetime: Lifetime
  readonly #context: SandboxContext
  readonly #code: SandboxCode
  readonly #startedAt = performance.now()
  #state: State = { name: 'running' }
  #execs = 0

  constructor(machine: Machine, binding: SandboxBinding) {
    super()
    this.id = machine.id
    if (binding.tenant !== undefined) this.tenant = binding.tenant
    this.#machine = machine
    this.#binding = binding
    this.#lifetime = new Lifetime(binding, (reason) => void this.end(reason))
    this.#context = this.#makeContext()
    const registry = new Registry()
    this.processes = new SandboxProcesses(this.#context, registry)
    this.files = new SandboxFiles(this.#context)
    this.pty = new SandboxPtys(this.#context, registry)
    this.ports = new SandboxPorts(this.#context)
    this.#code = new SandboxCode(this.#context, this.ports, binding)
    void machine.ended.then((end) => this.#onMachineEnd(end))
  }

  get state(): SandboxState {
    return this.#state.name
  }

  async exec(command: Command, options: ExecOptions = {}): Promise<ExecResult> {
    const first = this.#execs++ === 0
    const startedAt = performance.now()
    const result = await this.processes.exec(command, options)
    if (first) this.#binding.onFirstExec?.(performance.now() - startedAt)
    return result
  }

  spawn(command: Command, options: SpawnOptions = {}): Promise<Process> {
    return this.processes.spawn(command, options)
  }

  runCode(source: string, options: RunCodeOptions = {}): Promise<CodeResult> {
    return this.#code.run(source, options)
  }

  info(): SandboxInfo {
    const { tenant, template, origin, isolation, confinement, createdAt, createMs, metadata } = this.#binding
    const { expiresAt } = this.#lifetime
    return {
      id: this.id,
      ...(tenant !== undefined && { tenant }),
      template,
      state: this.state,
      origin,
      isolation,
      confinement: { held: [...confinement.held], missing: [...confinement.missing] },
      createdAt,
      ...(expiresAt !== undefined && { expiresAt }),
      createMs,
      metadata: { ...metadata },
    }
  }

  async usage(options: CallOptions = {}): Promise<SandboxUsage> {
    assertValid(callOptions, options, 'usage')
    const measured = await this.#ask(() => this.#machine.connection.limits.measure(options))
    return usageOf(measured, performance.now() - this.#startedAt)
  }

  extendTimeout(ms: number): Date {
    assertValid(durationMs, ms, 'extendTimeout')
    this.#assertRunning()
    return this.#lifetime.extend(ms)
  }

  destroy(): Promise<void> {
    return this.end('requested')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy()
  }

  /** Ends it for a reason; the first reason stays. Resolves when nothing is left. */
  async end(reason: DestroyReason): Promise<void> {
    if (this.#state.name === 'running') this.#enter({ name: 'destroying', reason })
    await this.#machine.destroy()
  }

  #makeContext(): SandboxContext {
    const { env, user, cwd } = this.#binding
    return {
      id: this.id,
      connection: this.#machine.connection,
      env,
      user,
      cwd,
      ask: (work) => this.#ask(work),
      call: (work) => this.#call(work),
      explain: (error) => this.#explain(error),
      isReachable: () => this.#isReachable(),
      assertRunning: () => this.#assertRunning(),
      enter: () => this.#lifetime.enter(),
      touch: () => this.#lifetime.touch(),
      ended: this.#machine.ended,
    }
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    this.#assertRunning()
    try {
      return await work()
    } catch (error) {
      throw await this.#explain(error)
    }
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    const leave = this.#lifetime.enter()
    try {
      return await this.#ask(work)
    } finally {
      leave()
    }
  }

  /** The caller's view of a failure: an unreachable guest whose microVM has ended is a sandbox that is gone. */
  async #explain(error: unknown): Promise<unknown> {
    if (!WarmcellError.is(error) || (error.code !== 'GUEST_UNREACHABLE' && error.code !== 'PROTOCOL'))
      return attributed(error, this.id)
    const evidence = new Promise<void>((resolve) => setTimeout(resolve, evidenceMs).unref())
    await Promise.race([this.#machine.ended, evidence])
    return this.#gone(error) ?? attributed(error, this.id)
  }

  #isReachable(): Promise<boolean> {
    return this.#machine.connection.ping({ timeoutMs: evidenceMs }).then(
      () => true,
      () => false,
    )
  }

  #assertRunning(): void {
    const gone = this.#gone()
    if (gone !== undefined) throw gone
  }

  /** The error for a call to a sandbox that has ended or is about to; undefined while it runs. */
  #gone(cause?: unknown): SandboxGoneError | undefined {
    const state = this.#state
    switch (state.name) {
      case 'running':
        return undefined
      case 'destroying':
      case 'destroyed':
        return new SandboxGoneError(this.id, state.reason, '', endings[state.reason], cause)
      case 'crashed':
        return new SandboxGoneError(
          this.id,
          'crash',
          state.consoleTail,
          `${endings.crash}: ${state.detail}`,
          cause ?? state.cause,
        )
      default:
        return state satisfies never
    }
  }

  #onMachineEnd(end: MachineEnd): void {
    if (this.#state.name === 'destroying') this.#enter({ name: 'destroyed', reason: this.#state.reason })
    else if (end.kind === 'crashed')
      this.#enter({ name: 'crashed', detail: end.detail, consoleTail: end.consoleTail, ...(end.error && { cause: end.error }) })
  }

  #enter(next: State): void {
    this.#state = next
    this.#lifetime.stop()
    this.announce('state', next.name)
    if (next.name === 'destroyed') this.announce('destroyed', next.reason)
    if (next.name === 'crashed') this.announce('destroyed', 'crash')
  }
}

const endings: Readonly<Record<DestroyReason, string>> = {
  requested: 'it was destroyed',
  timeout: 'its lifetime (timeoutMs) had passed',
  idle: 'it was idle for longer than idleTimeoutMs',
  crash: 'its microVM ended by itself',
  'pool-closed': 'its pool was closed',
  aborted: 'the call that created it was aborted',
}
