/** A machine made from a snapshot, in two steps: its process is parked, and later loads and becomes itself. */

import type { Hypervisor, ParkedVm, VmEnd, VmSnapshot } from '../hypervisor/index.ts'
import { Machine } from './machine.ts'
import { loadDeadlineMs, Making } from './making.ts'

const cloneAim = 'become a clone'

interface CloneOptions {
  readonly signal?: AbortSignal
}

/**
 * Starts the process of a clone, which then waits to load its snapshot: the half of a clone's making that needs no tenant, no identity, and no guest memory.
 *
 * @throws `BOOT_FAILED`, or the signal's reason. Nothing is left behind.
 */
export async function parkMachine(
  hypervisor: Hypervisor,
  snapshot: VmSnapshot,
  id: string,
  { signal }: CloneOptions = {},
): Promise<ParkedMachine> {
  const making = new Making(cloneAim, id, snapshot, signal)
  return making.run(
    async () => new ParkedMachine(id, snapshot, await making.start((inner) => hypervisor.park(snapshot, id, inner))),
  )
}

/** A process that can become one clone of its snapshot, once. */
export class ParkedMachine {
  readonly id: string
  readonly snapshot: VmSnapshot
  readonly #vm: ParkedVm

  constructor(id: string, snapshot: VmSnapshot, vm: ParkedVm) {
    this.id = id
    this.snapshot = snapshot
    this.#vm = vm
  }

  /** Resolves when the process has ended, whether it was cloned or not. */
  get ended(): Promise<VmEnd> {
    return this.#vm.ended
  }

  /**
   * Loads the snapshot and gives the guest its identity. The process belongs to the machine from here on; when this fails, it has ended.
   *
   * @throws `BOOT_FAILED` that says at which step, after how long, and what to try; or the signal's reason. Nothing is left behind.
   */
  async clone({ signal }: CloneOptions = {}): Promise<Machine> {
    const making = new Making(cloneAim, this.id, this.snapshot, signal)
    return making.run(async () => {
      making.adopt(this.#vm)
      const vm = await making.step('load the snapshot', loadDeadlineMs, () => this.#vm.load())
      const connection = making.connect(vm.agentPipe)
      await making.identify(connection, 'clone')
      return new Machine(this.id, vm, connection)
    })
  }

  async destroy(): Promise<void> {
    await this.#vm.kill()
  }
}
