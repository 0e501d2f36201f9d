/** A machine made by booting: what a template is made from. */

import type { Hypervisor, Isolation, VmSpec } from '../hypervisor/index.ts'
import { Machine } from './machine.ts'
import { bootAim, Making } from './making.ts'

/**
 * From the hypervisor's first answer to the agent's. A stock kernel needs 2.5 s emulated on an idle core, and ten at once on two cores five times
 * that; with hardware it needs a third of a second. Past this the guest hangs.
 */
const guestDeadlineMs: Readonly<Record<Isolation, number>> = { emulated: 60_000, hardware: 15_000 }

export interface BootOptions {
  readonly signal?: AbortSignal
  /** In place of `guestDeadlineMs`. */
  readonly deadlineMs?: number
  /** It is going to be snapshotted: what must differ between its clones must not come into being yet. */
  readonly template?: boolean
}

/**
 * Boots a microVM and gives it its identity.
 *
 * @throws `BOOT_FAILED` that says at which step, after how long, with the console's tail, and what to try; or the signal's reason. Nothing is left behind.
 */
export async function bootMachine(hypervisor: Hypervisor, spec: VmSpec, options: BootOptions = {}): Promise<Machine> {
  const { signal, deadlineMs = guestDeadlineMs[spec.isolation], template = false } = options
  const making = new Making(bootAim, spec.id, spec, signal)
  return making.run(async () => {
    const vm = await making.start((inner) => hypervisor.start(spec, inner))
    const connection = making.connect(vm.agentPipe)
    await making.step('boot the guest', deadlineMs, (inner) => connection.ping({ signal: inner }))
    // Only now: the clock in it must not have waited for the boot.
    await making.identify(connection, template ? 'template' : 'boot')
    return new Machine(spec.id, vm, connection)
  })
}
