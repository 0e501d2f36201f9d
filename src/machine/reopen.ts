/** A machine that goes on where it was saved: what a template is made from, step by step. */

import type { Hypervisor, VmSnapshot } from '../hypervisor/index.ts'
import { Machine } from './machine.ts'
import { loadDeadlineMs, Making } from './making.ts'

export interface ReopenOptions {
  readonly signal?: AbortSignal
}

/**
 * Has a machine that was saved go on in its own files, which change from then on, with the time of now. It can be saved there again, and what must differ between
 * clones still has not come into being.
 *
 * @throws `BOOT_FAILED` that says at which step, after how long, and what to try; or the signal's reason. No process is left behind, and the files are of no use.
 */
export async function reopenMachine(
  hypervisor: Hypervisor,
  snapshot: VmSnapshot,
  id: string,
  { signal }: ReopenOptions = {},
): Promise<Machine> {
  const making = new Making('go on where it was saved', id, snapshot, signal)
  return making.run(async () => {
    const parked = await making.start((inner) => hypervisor.reopen(snapshot, id, inner))
    const vm = await making.step('load the snapshot', loadDeadlineMs, () => parked.load())
    const connection = making.connect(vm.agentPipe)
    await making.identify(connection, 'template')
    return new Machine(id, vm, connection)
  })
}
