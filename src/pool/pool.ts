/** Who gets a sandbox, and when: the pool as its users see it. */

import { setMaxListeners } from 'node:events'
import { Emitter } from '../common/emitter.ts'
import { linkedSignal } from '../common/linked-signal.ts'
import { startTimer } from '../common/timer.ts'
import { type ErrorCode, WarmcellError } from '../errors.ts'
import type { ConfinementInfo } from '../host/index.ts'
import type { Isolation } from '../hypervisor/index.ts'
import { type Sandbox, type SandboxInfo, TenantSandbox } from '../sandbox/index.ts'
import type { Template, TemplateInfo, TemplateSpec, WarmTarget } from '../template/index.ts'
import { bind, prepare } from './binding.ts'
import type { BudgetLimits } from './budget.ts'
import { Census } from './census.ts'
import type { Pool, PoolEvents } from './contract.ts'
import { limitsOf } from './limiting.ts'
import type { FailureReason } from './maker.ts'
import { Metrics } from './metrics.ts'
import { Offerings, type ReadyOptions, type UpdateOptions } from './offerings.ts'
import {
  assertCloseOptions,
  assertCreateOptions,
  assertReadyOptions,
  assertUpdateOptions,
  boundsOf,
  type CreateSandboxOptions,
  withDefaults,
} from './options.ts'
import type { Shelf } from './shelf.ts'
import type { MachineSource } from './source.ts'
import { PoolExhaustedError, type PoolStats, type TemplateStats } from './stats.ts'
import { Supply } from './supply.ts'
import { TenantLimitError, Tenants, type TenantsOption } from './tenants.ts'

/** What a pool is made of. */
export interface PoolParts {
  readonly templates: ReadonlyMap<string, Template>
  readonly source: MachineSource
  readonly budget: BudgetLimits
  readonly isolation: Isolation
  readonly confinement: ConfinementInfo
  readonly defaults: Omit<CreateSandboxOptions, 'signal' | 'tenant'>
  readonly tenants: TenantsOption
  readonly onExhausted: 'boot' | 'wait' | 'fail'
  readonly acquireTimeoutMs?: number | undefined
  /** How many microVMs are made at once. */
  readonly makingsAtOnceMax: number
}

export class MachinePool extends Emitter<PoolEvents> implements Pool {
  readonly #parts: PoolParts
  readonly #supply: Supply
  readonly #offerings: Offerings
  readonly #tenants: Tenants
  readonly #sandboxes = new Map<string, TenantSandbox>()
  readonly #census = new Census()
  readonly #metrics: Metrics
  readonly #closing = new AbortController()
  /** Calls that have not settled: what they have taken so far is in no other list. */
  readonly #calls = new Set<Promise<unknown>>()
  #closed: Promise<void> | undefined
  #accepting = true

  constructor(parts: PoolParts) {
    super()
    this.#parts = parts
    this.#tenants = new Tenants(parts.tenants)
    this.#supply = new Supply(
      {
        source: parts.source,
        budget: parts.budget,
        mode: parts.onExhausted,
        makingsAtOnceMax: parts.makingsAtOnceMax,
        acquireTimeoutMs: parts.acquireTimeoutMs,
        onFailure: (template, reason, error) => this.#failed(template, reason, error),
        onWarm: (template, ms) => this.announce('warm', { template, ms }),
        onExhausted: () => this.announce('exhausted', { waiting: this.#waiting() }),
        exhausted: (cause, why, tenant) => this.#exhausted(cause, why, tenant),
      },
      this.#closing.signal,
    )
    this.#offerings = new Offerings(this.#supply, parts.templates)
    this.#metrics = new Metrics(() => ({ stats: this.stats(), budget: this.#supply.budget }))
    // Every call under way listens to it: many are no leak.
    setMaxListeners(0, this.#closing.signal)
    this.#supply.pump()
  }

  async createSandbox(given: CreateSandboxOptions = {}): Promise<Sandbox> {
    const startedAt = performance.now()
    assertCreateOptions(given)
    this.#assertAccepting()
    given.signal?.throwIfAborted()
    const options = withDefaults(this.#parts.defaults, given)
    const { tenant } = options
    const shelf = this.#offerings.shelfOf(options.template ?? 'base', tenant, 'createSandbox')
    const leave = this.#admit(tenant)
    const settle = this.#census.waits(tenant)
    try {
      return await this.#tracked(this.#create(shelf, options, leave, startedAt))
    } catch (error) {
      leave()
      throw error
    } finally {
      settle()
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

  async ready(options: ReadyOptions = {}): Promise<void> {
    assertReadyOptions(options)
    this.#assertAccepting()
    await this.#offerings.ready(options)
  }

  async resize(template: string, warm: WarmTarget): Promise<void> {
    const bounds = boundsOf(warm)
    this.#assertAccepting()
    await this.#tracked(this.#offerings.resize(template, bounds))
  }

  async updateTemplate(name: string, spec: TemplateSpec, options: UpdateOptions = {}): Promise<TemplateInfo> {
    assertUpdateOptions(options)
    this.#assertAccepting()
    return this.#tracked(this.#offerings.update(name, spec, options))
  }

  stats(): PoolStats {
    const supplied = new Map<string, Omit<TemplateStats, 'assigned'>>()
    for (const shelf of this.#supply.shelves.values()) {
      const sum = supplied.get(shelf.name) ?? { warm: 0, parked: 0, booting: 0, waiting: 0 }
      supplied.set(shelf.name, {
        warm: sum.warm + shelf.warm,
        parked: sum.parked + shelf.parked,
        booting: sum.booting + shelf.makings.size,
        waiting: sum.waiting + this.#supply.waiting(shelf.key),
      })
    }
    return this.#census.stats(supplied)
  }

  metrics(): Promise<string> {
    return this.#metrics.text()
  }

  async close(options: { mode?: 'drain' | 'destroy'; timeoutMs?: number } = {}): Promise<void> {
    assertCloseOptions(options)
    const { mode = 'destroy', timeoutMs } = options
    this.#accepting = false
    if (mode === 'drain' && this.#closed === undefined) {
      this.#supply.drain()
      await Promise.race([this.#drained(), ...(timeoutMs === undefined ? [] : [after(timeoutMs, this.#closing.signal)])])
    }
    this.#closed ??= this.#destroyAll()
    await this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #assertAccepting(): void {
    if (!this.#accepting) throw closedError()
  }

  async #tracked<T>(call: Promise<T>): Promise<T> {
    this.#calls.add(call)
    try {
      return await call
    } finally {
      this.#calls.delete(call)
    }
  }

  /** @throws `TENANT_LIMIT` */
  #admit(tenant: string | undefined): () => void {
    try {
      return this.#tenants.enter(tenant)
    } catch (error) {
      if (error instanceof TenantLimitError) {
        this.#census.rejected(tenant)
        this.#metrics.rejected(error.refusal)
      }
      throw error
    }
  }

  async #create(shelf: Shelf, options: CreateSandboxOptions, leave: () => void, startedAt: number): Promise<Sandbox> {
    const { signal, unlink } = linkedSignal([this.#closing.signal, options.signal])
    try {
      const { tenant, resources } = options
      limitsOf(resources, shelf.edition.template)
      const supplied = await this.#supply.take(shelf, { tenant, weight: this.#tenants.weightOf(tenant), signal })
      const { machine, origin } = supplied
      const binding = bind(supplied, options, this.#parts)
      try {
        await prepare(supplied, binding, options, signal)
      } catch (error) {
        if (WarmcellError.is(error) && !ownFault.has(error.code)) this.#failed(shelf.name, 'bind', error)
        throw error
      }
      const onFirstExec = (ms: number): void => {
        this.#census.firstExec(ms)
        this.#metrics.firstExec(origin, ms)
      }
      const sandbox = new TenantSandbox(machine, { ...binding, createMs: performance.now() - startedAt, onFirstExec })
      this.#register(sandbox, leave)
      return sandbox
    } finally {
      unlink()
    }
  }

  #register(sandbox: TenantSandbox, leave: () => void): void {
    const { id, tenant } = sandbox
    this.#sandboxes.set(id, sandbox)
    const created = sandbox.info()
    const warm = created.origin === 'warm'
    const left = this.#census.assigned(created.template, tenant, warm, created.createMs)
    sandbox.once('destroyed', (reason) => {
      this.#sandboxes.delete(id)
      leave()
      left()
      this.announce('destroyed', sandbox.info(), reason)
    })
    this.#metrics.created(created)
    this.announce(warm ? 'hit' : 'miss', created)
  }

  #failed(template: string, reason: FailureReason, error: WarmcellError | undefined): void {
    const making = this.#census.failed(reason)
    this.#metrics.failed(template, reason)
    if (making && error !== undefined) this.announce('bootFailed', error)
  }

  #exhausted(cause: 'exhausted' | 'deadline', why: string, tenant: string | undefined): PoolExhaustedError {
    this.#census.rejected(tenant)
    this.#metrics.rejected(cause)
    if (cause === 'exhausted') this.announce('exhausted', { waiting: this.#waiting() })
    return new PoolExhaustedError(`No room for another sandbox: ${why}.`, this.stats())
  }

  #waiting(): number {
    let waiting = 0
    for (const key of this.#supply.shelves.keys()) waiting += this.#supply.waiting(key)
    return waiting
  }

  async #drained(): Promise<void> {
    await Promise.allSettled(this.#calls)
    await Promise.all(
      [...this.#sandboxes.values()].map((sandbox) => new Promise<void>((resolve) => sandbox.once('destroyed', () => resolve()))),
    )
  }

  async #destroyAll(): Promise<void> {
    this.#closing.abort(closedError())
    await Promise.all([this.#supply.close(), Promise.allSettled(this.#calls)])
    await Promise.all([...this.#sandboxes.values()].map((sandbox) => sandbox.end('pool-closed')))
    await this.#supply.settled()
  }
}

/** What a create asked for, and could not have: the microVM did as it should. */
const ownFault: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['FILE', 'INVALID_ARGUMENT', 'UNSUPPORTED'])

function closedError(): WarmcellError {
  return new WarmcellError('POOL_CLOSED', 'The pool is closed.', { hint: 'Create a new one.' })
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
