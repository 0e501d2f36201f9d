/** A pool for tests: everything in it is real but the microVMs. */

import { definedOnly } from '../common/defined.ts'
import { confinementParts } from '../host/index.ts'
import { assertPoolOptions, MachinePool, type Pool, type PoolOptions } from '../pool/index.ts'
import { resolveTemplates } from '../template/index.ts'
import type { FakeGuest } from './fake-guest.ts'
import { FakeHypervisor } from './fake-hypervisor.ts'
import { FakeSource } from './fake-source.ts'
import type { FakeProgram } from './program.ts'
import { builtinPrograms } from './programs.ts'
import type { FakeStep } from './step.ts'

type PoolPart = 'templates' | 'budget' | 'defaults' | 'onExhausted' | 'acquireTimeoutMs' | 'tenants'

export interface FakePoolOptions extends Pick<PoolOptions, PoolPart> {
  /** Programs of every guest, by name, beside and over the built-in cat, echo, env, false, pwd, sh, sleep, true, whoami and `[ -x`. */
  programs?: Record<string, FakeProgram>
  /** Called with each guest before its host greets it: the place to let a boot fail. Not called for those that templates are built from. */
  onGuestStart?: (guest: FakeGuest) => void
  /** Called before a guest does what its host asks of it: the place to let it crash or hang just there. */
  onGuestStep?: (guest: FakeGuest, step: FakeStep) => void
  /** Called with each guest that a template is going to be built from. */
  onTemplateStart?: (guest: FakeGuest) => void
  /** How many guests are made at once. Default 4. */
  makingsAtOnceMax?: number
  /** How long a guest may take to its first answer when it boots, in milliseconds. Default as with real ones: 60,000. */
  bootDeadlineMs?: number
}

/** A `Pool` that also shows its guests. */
export interface FakePool extends Pool {
  /** The guests that have not ended, oldest first: those of sandboxes, and those in stock and in the making. */
  readonly guests: readonly FakeGuest[]
  /** How many have been started in all. */
  readonly guestsStarted: number
  /** The guest of a sandbox. @throws when it has ended. */
  guestOf(sandbox: { readonly id: string }): FakeGuest
  /** What was built so far cannot be cloned any more, for its files are damaged (default: truncated): the pool has to notice, and to build it anew. */
  damageTemplates(how?: 'truncated' | 'removed'): void
}

/** Far more than a test takes: only a budget that is asked for limits. */
const budgetDefault = { memoryMib: 2 ** 31, sandboxes: 100_000 } as const

/**
 * A real pool over guests that live in this process and speak the real wire: `createSandbox`, `exec`, `spawn`, timeouts, errors and events
 * behave as they do with microVMs, within milliseconds and on any system. Commands are looked up in `programs`; one that is not there is
 * `SPAWN_FAILED`. Nothing is isolated: a program is a function of your test.
 *
 * @throws `INVALID_ARGUMENT`
 *
 * @example
 * ```ts
 * await using pool = createFakePool({
 *   programs: { python3: async ({ argv, stdout }) => { await stdout.write(`ran ${argv[2]}\n`); return 0 } },
 * })
 * await using sandbox = await pool.createSandbox({ tenant: 'alice' })
 * const { stdout } = await sandbox.exec(['python3', '-c', 'print(1)'])
 * assert.equal(stdout, 'ran print(1)\n')
 * pool.guestOf(sandbox).crash()
 * await assert.rejects(sandbox.exec('true'), { code: 'SANDBOX_GONE' })
 * ```
 */
export function createFakePool(options: FakePoolOptions = {}): FakePool {
  const { templates = {}, budget, defaults = {}, programs = {}, makingsAtOnceMax = 4, bootDeadlineMs } = options
  const { onExhausted = 'boot', acquireTimeoutMs, tenants = {}, onGuestStart, onGuestStep, onTemplateStart } = options
  const given = { templates, defaults, onExhausted, tenants, acquireTimeoutMs, ...(budget && { budget }) }
  assertPoolOptions(definedOnly(given))
  const inGuests = new Map(Object.entries({ ...builtinPrograms, ...programs }))
  const hypervisor = new FakeHypervisor(inGuests, onGuestStart, onGuestStep)
  const source = new FakeSource(new FakeHypervisor(inGuests, onTemplateStart), hypervisor, bootDeadlineMs)
  return new HypervisorPool(hypervisor, source, {
    templates: resolveTemplates(templates),
    source,
    budget: { ...budgetDefault, ...budget },
    isolation: 'emulated',
    // There is no process to hold.
    confinement: { held: [], missing: [...confinementParts] },
    defaults,
    onExhausted,
    acquireTimeoutMs,
    tenants,
    makingsAtOnceMax,
  })
}

class HypervisorPool extends MachinePool implements FakePool {
  readonly #hypervisor: FakeHypervisor
  readonly #source: FakeSource

  constructor(hypervisor: FakeHypervisor, source: FakeSource, parts: ConstructorParameters<typeof MachinePool>[0]) {
    super(parts)
    this.#hypervisor = hypervisor
    this.#source = source
  }

  override async close(options?: Parameters<Pool['close']>[0]): Promise<void> {
    await super.close(options)
    await this.#source.close()
  }

  damageTemplates(how: 'truncated' | 'removed' = 'truncated'): void {
    this.#source.damage(how)
  }

  get guests(): readonly FakeGuest[] {
    return this.#hypervisor.guests
  }

  get guestsStarted(): number {
    return this.#hypervisor.guestsStarted
  }

  guestOf({ id }: { readonly id: string }): FakeGuest {
    const guest = this.guests.find((one) => one.id === id)
    if (guest === undefined) throw new Error(`the guest of sandbox ${id} has ended`)
    return guest
  }
}
