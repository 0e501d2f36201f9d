/** The microVM that a build happens in: begun when it is first needed, and ended with the build. */

import type { Hypervisor, SnapshotFiles, VmSpec } from '../../hypervisor/index.ts'
import { bootMachine, type Machine, reopenMachine } from '../../machine/index.ts'
import type { Template } from '../template.ts'
import { BuildGuest } from './guest.ts'
import type { BuildLog } from './log.ts'

/** To stop the guest and write 50 KiB: milliseconds, seconds on a host that swaps or on a slow disk. */
const saveDeadlineMs = 30_000

export interface WorkbenchParts {
  readonly hypervisor: Hypervisor
  readonly template: Template
  /** With the files that it is saved to. */
  readonly plan: VmSpec & { readonly savesTo: SnapshotFiles }
  readonly log: BuildLog
  readonly signal: AbortSignal
}

export class Workbench {
  readonly #parts: WorkbenchParts
  #on: { readonly machine: Machine; readonly guest: BuildGuest } | undefined

  constructor(parts: WorkbenchParts) {
    this.#parts = parts
  }

  /** The guest as it is; where none is there yet, one that goes on from the build's files, or boots. @throws `BOOT_FAILED`; the signal's reason. */
  async guest(goesOn: boolean): Promise<BuildGuest> {
    if (this.#on !== undefined) return this.#on.guest
    const { template, log, signal } = this.#parts
    const machine = await (goesOn ? this.#reopen() : this.#boot())
    this.#on = { machine, guest: new BuildGuest(template.name, machine, log, signal) }
    return this.#on.guest
  }

  /** Leaves the guest in the build's files, has these copied while it stands still, and goes on. @throws `BOOT_FAILED`; the signal's reason. */
  async pause(copying: () => Promise<void>): Promise<void> {
    await this.#on?.guest.attempt('the saving of a stage', (machine) => machine.passThrough(copying, this.#saving))
  }

  /** Ends the guest, and leaves it in the build's files. @throws `BOOT_FAILED`; the signal's reason. */
  async save(): Promise<void> {
    await this.#on?.guest.attempt('the snapshot', (machine) => machine.save(this.#saving))
  }

  /** Idempotent. */
  async end(): Promise<void> {
    const machine = this.#on?.machine
    this.#on = undefined
    await machine?.destroy()
  }

  get #saving(): { signal: AbortSignal; timeoutMs: number } {
    return { signal: this.#parts.signal, timeoutMs: saveDeadlineMs }
  }

  #boot(): Promise<Machine> {
    const { hypervisor, plan, log, signal } = this.#parts
    log.step('boot', `${plan.vcpus} vCPU, ${plan.memoryMib} MiB, ${plan.isolation}`)
    return bootMachine(hypervisor, plan, { signal, template: true })
  }

  #reopen(): Promise<Machine> {
    const { hypervisor, plan, signal } = this.#parts
    return reopenMachine(hypervisor, { ...plan, ...plan.savesTo }, plan.id, { signal })
  }
}
