/** A template that has been built: the snapshot its clones are made from, and the facts about it. */

import type { VmSnapshot } from '../hypervisor/index.ts'

export interface Snapshot extends VmSnapshot {
  /** Of everything the template depends on, in hex: equal templates have one snapshot. */
  readonly digest: string
  /** What its files take on the host. */
  readonly sizeBytes: number
  readonly createdAt: Date
}

/** What a build is doing, and what it prints. `cached` is a command of the setup that need not be run, for what it made is stored. */
export type BuildEvent =
  | {
      readonly type: 'step'
      readonly step: 'pull' | 'disk' | 'wait' | 'boot' | 'cached' | 'setup' | 'start' | 'ready' | 'snapshot'
      readonly detail: string
    }
  /** How far a container image has come: pulled, or read to make a disk of it. */
  | { readonly type: 'progress'; readonly step: 'pull' | 'disk'; readonly doneBytes: number; readonly totalBytes: number }
  | { readonly type: 'output'; readonly text: string }

export interface BuildOptions {
  /** Whose snapshot it is, where snapshots are not shared between tenants (`sharing: 'tenant'`). */
  readonly tenant?: string
  readonly signal?: AbortSignal
  readonly onEvent?: (event: BuildEvent) => void
}
