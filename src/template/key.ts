/** What a snapshot depends on, as data and as one digest: equal keys, equal snapshots. */

import { createHash } from 'node:crypto'
import type { Isolation } from '../hypervisor/index.ts'
import type { Resources, Template } from './template.ts'

/**
 * The generation of snapshots and of how they lie on the host. Raise it with every change of what a build does.
 */
export const formatVersion = 2

/** What it needs of the host: the same on every build until something is upgraded. */
export interface HostInputs {
  readonly formatVersion: number
  readonly architecture: string
  /** With hardware isolation the guest sees this processor; emulated, it counts time by this one's counter. */
  readonly processor: string
  /** With its version. */
  readonly hypervisor: string
  /** Of kernel, initramfs, agent and built-in root. */
  readonly guestImage: string
}

/** Everything. What is late-bound, or only says how many clones wait, is not among it. */
export interface KeyInputs {
  readonly host: HostInputs
  readonly isolation: Isolation
  /** In the hypervisor's own words. */
  readonly machine: readonly string[]
  /** The built-in one, which the guest image covers, or a disk image by what it holds, or was made from, wherever it lies. */
  readonly root: 'base' | { readonly sha256: string } | { readonly image: string }
  readonly resources: Required<Resources>
  readonly env: Readonly<Record<string, string>>
  /** As those below up to `ready`, null in a stage: it comes before whatever depends on it. */
  readonly user: string | null
  readonly cwd: string | null
  readonly setup: readonly string[]
  readonly start: Template['start'] | null
  readonly ready: Template['ready'] | null
  /** Whose it is alone; null where all share it. */
  readonly tenant: string | null
}

/** SHA-256, in hex. */
export function templateKey(inputs: KeyInputs): string {
  return createHash('sha256').update(canonical(inputs)).digest('hex')
}

/** JSON in which the order of an object's keys, which means nothing, is always the same. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
    // Null without prototype: a variable may be called __proto__.
    const sorted = Object.create(null) as Record<string, unknown>
    for (const name of Object.keys(part).sort()) sorted[name] = (part as Record<string, unknown>)[name]
    return sorted
  })
}
