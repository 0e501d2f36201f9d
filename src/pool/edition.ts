/** One state of a template, and the stock that was made from it: warm machines, parked processes. */

import type { Machine, ParkedMachine } from '../machine/index.ts'
import { isImage, type Snapshot, type Template } from '../template/index.ts'
import type { Cost } from './budget.ts'
import type { Stocked } from './disposal.ts'

/** A template that machines can be made of; without a snapshot where each boots by itself. */
export interface Built {
  readonly template: Template
  readonly snapshot: Snapshot | undefined
}

/** What a microVM takes beside its guest's memory, in MiB: the hypervisor itself, its translation buffer, its caches. */
const hypervisorMemoryMib = 64

/** What a parked process takes, in MiB: the hypervisor's own pages, before it has a guest; about 20 of them, and its libraries. */
const parkedMemoryMib = 32

/** It counts as no sandbox: it has none of a guest's memory, and nobody can be in it. */
export const parkedCost: Cost = { memoryMib: parkedMemoryMib, sandboxes: 0 }

export class Edition {
  /** With what its image says, once that is on this host. */
  template: Template
  /** Whose it is, where snapshots are not shared. */
  readonly tenant: string | undefined
  /** What one of its machines takes of the budget. */
  readonly cost: Cost
  /** Undefined until it is built, or when it was found to be damaged. */
  snapshot: Snapshot | undefined
  /** The build under way. */
  building: Promise<void> | undefined
  /** Oldest first. */
  readonly warm: Stocked<Machine>[] = []
  readonly parked: Stocked<ParkedMachine>[] = []
  /** Machines of it in the making. */
  making = 0
  /** Processes on their way to be parked. */
  readonly parkings: Set<Promise<void>> = new Set()
  /** When its snapshot was last looked at after a failure. */
  verifiedAt: number = Number.NEGATIVE_INFINITY
  verifying: Promise<void> | undefined

  constructor(template: Template, tenant?: string) {
    this.template = template
    this.tenant = tenant
    this.cost = { memoryMib: template.resources.memoryMib + hypervisorMemoryMib, sandboxes: 1 }
  }

  adopt({ template, snapshot }: Built): void {
    this.template = template
    this.snapshot = snapshot
  }

  get parking(): number {
    return this.parkings.size
  }

  /** Where every machine boots by itself there is nothing to build but its root. */
  get built(): boolean {
    return this.snapshot !== undefined || (this.template.sharing === 'none' && !isImage(this.template.root))
  }

  /** Whether nothing of it is left but what tenants have. */
  get gone(): boolean {
    return this.warm.length + this.parked.length + this.making + this.parking === 0
  }
}
