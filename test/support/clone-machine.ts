/** A clone from nothing: parked and cloned at once. */

import type { Hypervisor, VmSnapshot } from '../../src/hypervisor/index.ts'
import { type Machine, parkMachine } from '../../src/machine/index.ts'

export async function cloneMachine(
  hypervisor: Hypervisor,
  snapshot: VmSnapshot,
  id: string,
  options: { signal?: AbortSignal } = {},
): Promise<Machine> {
  const parked = await parkMachine(hypervisor, snapshot, id, options)
  return parked.clone(options)
}
