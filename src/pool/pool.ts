/** Who gets a sandbox, and when. */

import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import PQueue from 'p-queue'
import { definedOnly } from '../common/defined.ts'
import { Emitter } from '../common/emitter.ts'
import { guestPath } from '../common/guest-path.ts'
import { linkedSignal } from '../common/linked-signal.ts'
import { startTimer } from '../common/timer.ts'
import { attributed, WarmcellError } from '../errors.ts'
import type { Isolation } from '../hypervisor/index.ts'
import type { Machine } from '../machine/index.ts'
import { type Sandbox, type SandboxInfo, TenantSandbox } from '../sandbox/index.ts'
import type { Template } from '../template/index.ts'
import { Budget, type BudgetLimits } from './budget.ts'
import { Census } from './census.ts'
import type { Pool, PoolEvents } from './contract.ts'
import { assertCloseOptions, assertCreateOptions, type CreateSandboxOptions } from './options.ts'
import { PoolExhaustedError, type PoolStats } from './stats.ts'

/** What a pool is made of. */
export interface PoolParts {
  readonly templates: ReadonlyMap<string, Template>
  readonly budget: BudgetLimits
  readonly isolation: Isolation
  readonly defaults: Omit<CreateSandboxOptions, 'signal' | 'tenant'>
  /** How many microVMs boot at once. */
  readonly bootsAtOnceMax: number
  /** Makes a machine of a template, by whatever way there is. */
  readonly makeMachine: (template: Template, id: string, signal: AbortSignal) => Promise<Machine>
}

/** What a microVM takes beside its guest's memory, in MiB: the hypervisor itself, its translation buffer, its caches. */
const hypervisorMemoryMib = 64

/** The mode of files written at creation. */
const fileMode = 0o644

export class MachinePool extends Emitter<PoolEvents> implements Pool {
  readonly #parts: PoolParts
  readonly #budget: Budget
  readonly #boots: PQueue
  readonly #sandboxes = new Map<string, TenantSandbox>()
  readonly #census = new Census()
  readonly #closing = new AbortController()
  /** Creates that have not settled: what they have made so far is in no other list. */
  readonly #creates = new Set<Promise<unknown>>()
  #closed: Promise<void> | undefined
  #accepting = true

  constructor(parts: PoolParts) {
    super()
    this.#parts = parts
    this.#budget = new Budget(parts.budget)
    this.#boots = new PQueue({ concurrency: parts.bootsAtOnceMax })
    // Every create under way listens to it: many are no leak.
    setMaxListeners(0, this.#closing.signal)
  }

  async createSandbox(given: CreateSandboxOptions = {}): Promise<Sandbox> {
    const startedAt = performance.now()
    assertCreateOptions(given)
    if (!this.#accepting) throw closedError()
    given.signal?.throwIfAborted()
    const options = withDefaults(this.#parts.defaults, given)
    const template = this.#template(options.template ?? 'base')
    const reservation = this.#reserve(template, options.tenant)
    const creating = this.#create(template, options, reservation, startedAt)
    this.#creates.add(creating)
    try {
      return await creating
    } finally {
      this.#creates.delete(creating)
    }
  }

  async #create(
    template: Template,
    options: CreateSandboxOptions,
    reservation: { release: () => void },
    startedAt: number,
  ): Promise<Sandbox> {
    const { signal, unlink } = linkedSignal([this.#closing.signal, options.signal])
    try {
      const machine = await this.#machine(template, options.tenant, signal)
      const binding = this.#bind(template, options)
      await this.#writeFiles(machine, binding, options.files, signal)
      const sandbox = new TenantSandbox(machine, { ...binding, createMs: performance.now() - startedAt })
      this.#register(sandbox, template, reservation.release)
      return sandbox
    } catch (error) {
      reservation.release()
      throw error
    } finally {
      unlink()
    }
  }

  getSandbox(id: string): Sandbox | undefined {
    return this.#sandboxes.get(id)
  }

  listSandboxes(filter: { tenant?: string; metadata?: Record<string, string> } = {}): SandboxInfo[] {
    const { tenant, metadata = {} } = filter
    return [...this.#sandboxes.values()]
      .map((sandbox) => sandbox.info())
      .filter((info) => tenant === undefined || info.tenant === tenant)
      .filter((info) => Object.entries(metadata).every(([key, value]) => info.metadata[key] === value))
  }

  async destroySandbox(id: string): Promise<boolean> {
    const sandbox = this.#sandboxes.get(id)
    await sandbox?.destroy()
    return sandbox !== undefined
  }

  stats(): PoolStats {
    return this.#census.stats()
  }

  async close(options: { mode?: 'drain' | 'destroy'; timeoutMs?: number } = {}): Promise<void> {
    assertCloseOptions(options)
    const { mode = 'destroy', timeoutMs } = options
    this.#accepting = false
    if (mode === 'drain') {
      await Promise.race([this.#drained(), ...(timeoutMs === undefined ? [] : [after(timeoutMs, this.#closing.signal)])])
    }
    this.#closed ??= this.#destroyAll()
    await this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #template(name: string): Template {
    const template = this.#parts.templates.get(name)
    if (template !== undefined) return template
    const known = [...this.#parts.templates.keys()].join(', ')
    throw new WarmcellError('INVALID_ARGUMENT', `createSandbox: there is no template '${name}'.`, {
      hint: `This pool has: ${known}.`,
    })
  }

  #reserve(template: Template, tenant: string | undefined): { release: () => void } {
    const reservation = this.#budget.reserve(template.resources.memoryMib + hypervisorMemoryMib)
    if ('release' in reservation) return reservation
    this.#census.rejected(tenant)
    const stats = this.stats()
    this.announce('exhausted', { waiting: stats.waiting })
    throw new PoolExhaustedError(`No room for another sandbox: ${reservation.refusal}.`, stats)
  }

  /** Boots in turn: more at once than the host has cores makes each slower and none sooner. */
  async #machine(template: Template, tenant: string | undefined, signal: AbortSignal): Promise<Machine> {
    const id = `wc-${randomBytes(6).toString('hex')}`
    const arrived = this.#census.waits(template.name, tenant)
    let making: Promise<Machine> | undefined
    try {
      return await this.#boots.add(
        () => {
          arrived.boots()
          making = this.#parts.makeMachine(template, id, signal)
          return making
        },
        { signal },
      )
    } catch (error) {
      // The queue lets go of what is aborted at once; the caller hears of it when nothing is left.
      await making?.then(
        (late) => late.destroy(),
        () => {},
      )
      if (WarmcellError.is(error) && error.code === 'BOOT_FAILED') {
        this.#census.bootFailed()
        this.announce('bootFailed', error)
      }
      signal.throwIfAborted()
      throw error
    } finally {
      arrived.leaves()
    }
  }

  #bind(template: Template, options: CreateSandboxOptions) {
    const { tenant, timeoutMs, idleTimeoutMs } = options
    return {
      ...(tenant !== undefined && { tenant }),
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
      template: template.name,
      origin: 'boot' as const,
      isolation: this.#parts.isolation,
      createdAt: new Date(),
      metadata: { ...options.metadata },
      env: { ...template.env, ...options.env },
      user: options.user ?? template.user,
      cwd: options.cwd ?? template.cwd,
    }
  }

  async #writeFiles(
    machine: Machine,
    { user, cwd }: { user: string; cwd: string },
    files: CreateSandboxOptions['files'] = {},
    signal: AbortSignal,
  ): Promise<void> {
    try {
      for (const [path, content] of Object.entries(files)) {
        const data = typeof content === 'string' ? Buffer.from(content) : content
        await machine.connection.writeFile(guestPath(cwd, path), data, { mode: fileMode, user, signal })
      }
      signal.throwIfAborted()
    } catch (error) {
      await machine.destroy()
      throw attributed(error, machine.id)
    }
  }

  #register(sandbox: TenantSandbox, template: Template, release: () => void): void {
    const { id, tenant } = sandbox
    this.#sandboxes.set(id, sandbox)
    const created = sandbox.info()
    const left = this.#census.assigned(template.name, tenant, created.createMs)
    sandbox.once('destroyed', (reason) => {
      this.#sandboxes.delete(id)
      release()
      left()
      this.announce('destroyed', sandbox.info(), reason)
    })
    this.announce('miss', created)
  }

  async #drained(): Promise<void> {
    await Promise.allSettled(this.#creates)
    await Promise.all(
      [...this.#sandboxes.values()].map((sandbox) => new Promise<void>((resolve) => sandbox.once('destroyed', () => resolve()))),
    )
  }

  async #destroyAll(): Promise<void> {
    this.#closing.abort(closedError())
    await Promise.allSettled(this.#creates)
    await Promise.all([...this.#sandboxes.values()].map((sandbox) => sandbox.end('pool-closed')))
  }
}

function closedError(): WarmcellError {
  return new WarmcellError('POOL_CLOSED', 'The pool is closed.', { hint: 'Create a new one.' })
}

/** The options of one create over the pool's defaults: objects are merged, the rest is replaced. */
function withDefaults(defaults: CreateSandboxOptions, given: CreateSandboxOptions): CreateSandboxOptions {
  return {
    ...definedOnly(defaults),
    ...definedOnly(given),
    env: { ...defaults.env, ...given.env },
    metadata: { ...defaults.metadata, ...given.metadata },
    files: { ...defaults.files, ...given.files },
  }
}

function after(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = startTimer(ms, resolve)
    signal.addEventListener('abort', () => {
      cancel()
      resolve()
    })
  })
}
