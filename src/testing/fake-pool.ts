/** A pool for tests: everything in it is real but the microVMs. */

import { bootMachine } from '../machine/index.ts'
import { assertPoolOptions, MachinePool, type Pool, type PoolOptions } from '../pool/index.ts'
import { resolveTemplates } from '../template/index.ts'
import type { FakeGuest } from './fake-guest.ts'
import { FakeHypervisor } from './fake-hypervisor.ts'
import type { FakeProgram } from './program.ts'
import { builtinPrograms } from './programs.ts'

export interface FakePoolOptions extends Pick<PoolOptions, 'templates' | 'budget' | 'defaults'> {
  /** Programs of every guest, by name, beside and over the built-in cat, echo, env, false, pwd, sh, sleep, true, whoami. */
  programs?: Record<string, FakeProgram>
  /** Called with each guest before its host greets it: the place to let a boot fail. */
  onGuestStart?: (guest: FakeGuest) => void
  /** How many guests boot at once. Default 4. */
  bootsAtOnceMax?: number
  /** How long a guest may take to its first answer, in milliseconds. Default as with real ones: 60,000. */
  bootDeadlineMs?: number
}

/** A `Pool` that also shows its guests. */
export interface FakePool extends Pool {
  /** The guests that have not ended, oldest first. */
  readonly guests: readonly FakeGuest[]
  /** How many have been started in all. */
  readonly guestsStarted: number
  /** The guest of a sandbox. @throws when it has ended. */
  guestOf(sandbox: { readonly id: string }): FakeGuest
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
  const { templates = {}, budget, defaults = {}, programs = {}, onGuestStart, bootsAtOnceMax = 4, bootDeadlineMs } = options
  assertPoolOptions({ templates, defaults, ...(budget && { budget }) })
  const hypervisor = new FakeHypervisor(new Map(Object.entries({ ...builtinPrograms, ...programs })), onGuestStart)
  return new HypervisorPool(hypervisor, {
    templates: resolveTemplates(templates),
    budget: { ...budgetDefault, ...budget },
    isolation: 'emulated',
    defaults,
    bootsAtOnceMax,
    makeMachine: ({ resources }, id, signal) =>
      bootMachine(
        hypervisor,
        {
          id,
          isolation: 'emulated',
          acpi: true,
          vcpus: resources.vcpus,
          memoryMib: resources.memoryMib,
          hostKernelPath: '/dev/null',
          hostInitramfsPath: '/dev/null',
          hostRootPath: '/dev/null',
          kernelArguments: [],
        },
        { signal, ...(bootDeadlineMs !== undefined && { deadlineMs: bootDeadlineMs }) },
      ),
  })
}

class HypervisorPool extends MachinePool implements FakePool {
  readonly #hypervisor: FakeHypervisor

  constructor(hypervisor: FakeHypervisor, parts: ConstructorParameters<typeof MachinePool>[0]) {
    super(parts)
    this.#hypervisor = hypervisor
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
