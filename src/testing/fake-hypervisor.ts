/** A hypervisor whose microVMs are fake guests. */

import { access, appendFile, readFile, writeFile } from 'node:fs/promises'
import { WarmcellError } from '../errors.ts'
import type { Hypervisor, ParkedVm, SnapshotFiles, Vm, VmSnapshot, VmSpec } from '../hypervisor/index.ts'
import { type FakeLimits, unlimited } from './fake-account.ts'
import { FakeGuest } from './fake-guest.ts'
import { pipePair } from './pipe.ts'
import type { FakeProgram } from './program.ts'
import type { FakeStep } from './step.ts'

/** What a fake snapshot keeps: a guest's files, as base64 by path, and what it has to give. */
interface FakeState {
  files: Record<string, string>
  limits: FakeLimits
}

export class FakeHypervisor implements Hypervisor {
  readonly name = 'fake hypervisor'
  readonly #programs: ReadonlyMap<string, FakeProgram>
  readonly #onGuestStart: ((guest: FakeGuest) => void) | undefined
  readonly #onGuestStep: ((guest: FakeGuest, step: FakeStep) => void) | undefined
  readonly #guests = new Set<FakeGuest>()
  #started = 0
  #booted = 0

  constructor(
    programs: ReadonlyMap<string, FakeProgram>,
    onGuestStart?: (guest: FakeGuest) => void,
    onGuestStep?: (guest: FakeGuest, step: FakeStep) => void,
  ) {
    this.#programs = programs
    this.#onGuestStart = onGuestStart
    this.#onGuestStep = onGuestStep
  }

  /** Those that have not ended, oldest first. */
  get guests(): readonly FakeGuest[] {
    return [...this.#guests]
  }

  get guestsStarted(): number {
    return this.#started
  }

  /** Those of them that were booted, not cloned. */
  get guestsBooted(): number {
    return this.#booted
  }

  describe({ isolation, vcpus, memoryMib, acpi, kernelArguments }: VmSpec): readonly string[] {
    return [isolation, `${vcpus} vCPUs`, `${memoryMib} MiB`, acpi ? 'ACPI' : 'no ACPI', ...kernelArguments]
  }

  async start(spec: VmSpec, signal: AbortSignal): Promise<Vm> {
    signal.throwIfAborted()
    this.#booted++
    if (spec.savesTo !== undefined) {
      await writeFile(spec.savesTo.hostMemoryPath, `memory of ${spec.id}\n`, { flag: 'wx' })
      await writeFile(spec.savesTo.hostStatePath, '', { flag: 'wx' })
    }
    const vm = this.#vm(spec.id, spec.savesTo)
    vm.guest.equip(limitsOf(spec))
    return vm
  }

  async park(snapshot: VmSnapshot, id: string, signal: AbortSignal): Promise<ParkedVm> {
    signal.throwIfAborted()
    await access(snapshot.hostMemoryPath).catch((cause: unknown) => {
      throw new WarmcellError('BOOT_FAILED', `The fake snapshot ${snapshot.hostMemoryPath} is not there.`, { cause })
    })
    signal.throwIfAborted()
    const vm = this.#vm(id)
    return { ...vm, load: () => this.#load(vm, snapshot) }
  }

  async reopen(snapshot: VmSnapshot, id: string, signal: AbortSignal): Promise<ParkedVm> {
    signal.throwIfAborted()
    // It writes to its memory, as a guest does.
    await appendFile(snapshot.hostMemoryPath, `memory of ${id}\n`)
    const vm = this.#vm(id, snapshot)
    return { ...vm, load: () => this.#load(vm, snapshot) }
  }

  async #load(vm: Vm & { guest: FakeGuest }, snapshot: VmSnapshot): Promise<Vm> {
    vm.guest.step('load')
    try {
      const state = JSON.parse(await readFile(snapshot.hostStatePath, 'utf8')) as FakeState
      vm.guest.equip(state.limits)
      for (const [path, data] of Object.entries(state.files)) vm.guest.files.set(path, Buffer.from(data, 'base64'))
    } catch (cause) {
      throw new WarmcellError('BOOT_FAILED', `The fake snapshot ${snapshot.hostStatePath} cannot be loaded.`, { cause })
    }
    return vm
  }

  #vm(id: string, savesTo?: SnapshotFiles): Vm & { guest: FakeGuest } {
    const [agentPipe, guestPipe] = pipePair()
    // The reader hears of a hang-up by the pipe's end; unheard, the error that comes with it must not end this process.
    for (const end of [agentPipe, guestPipe]) end.on('error', () => {})
    const guest = new FakeGuest(id, guestPipe, this.#programs, this.#onGuestStep)
    this.#started++
    this.#guests.add(guest)
    void guest.ended.then(() => {
      this.#guests.delete(guest)
      agentPipe.destroy()
    })
    this.#onGuestStart?.(guest)
    return {
      guest,
      pid: process.pid,
      agentPipe,
      ended: guest.ended,
      consoleTail: () => guest.consoleText,
      logTail: () => '',
      pause: () => guest.pause(true),
      resume: () => guest.pause(false),
      save: async () => {
        if (savesTo === undefined) throw new WarmcellError('BOOT_FAILED', `The fake microVM ${id} has no files to be saved to.`)
        const files = Object.fromEntries([...guest.files].map(([path, data]) => [path, Buffer.from(data).toString('base64')]))
        const state: FakeState = { files, limits: guest.limits }
        await writeFile(savesTo.hostStatePath, JSON.stringify(state))
      },
      goOn: async () => guest.beginAgain(),
      kill: () => {
        guest.end({ exitCode: null, signal: 'SIGKILL' })
        return guest.ended
      },
    }
  }
}

/** As the agent reads it from the kernel's command line, and keeps a part of the memory from its tenant. */
function limitsOf({ memoryMib, vcpus, kernelArguments }: VmSpec): FakeLimits {
  const told = (name: string): number | undefined => {
    const argument = kernelArguments.find((one) => one.startsWith(`warmcell.${name}=`))
    return argument === undefined ? undefined : Number(argument.slice(argument.indexOf('=') + 1))
  }
  const memoryBytes = Math.max(1, memoryMib - keptMib) * mib
  const diskBytes = Math.min((told('disk_mib') ?? memoryMib) * mib, (memoryBytes / 4) * 3)
  return { memoryBytes, diskBytes, processes: told('pids') ?? unlimited.processes, cpuPercent: vcpus * 100 }
}

/** What the kernel and the agent of a small guest keep, about. */
const keptMib = 32

const mib = 1_048_576
