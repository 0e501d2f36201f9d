/** What holds a hypervisor's process on this host, part by part, and what is missing. */

/**
 * Each part is a wall of its own:
 * - `user`: a user of its own, which owns nothing and is no other microVM's
 * - `capabilities`: none, and none to be had
 * - `privileges`: no program that it starts can have more rights than itself (no_new_privs)
 * - `system-calls`: a filter from its first instruction on, beside the one that QEMU installs itself
 * - `namespaces`: its own processes, network (with nothing in it), IPC, host name, control groups
 * - `file-system`: a root that holds the program, its libraries and its snapshot, and can nowhere be written to
 * - `limits`: of open files, of the size of a file, no core dump, no locked memory
 * - `control-group`: of memory, processors and threads
 * - `parent`: the kernel ends it when its host process dies
 */
export const confinementParts = [
  'user',
  'capabilities',
  'privileges',
  'system-calls',
  'namespaces',
  'file-system',
  'limits',
  'control-group',
  'parent',
] as const
export type ConfinementPart = (typeof confinementParts)[number]

/** What is known of it, without the reasons. */
export interface ConfinementInfo {
  held: ConfinementPart[]
  /** Of what this process could have had held. */
  missing: ConfinementPart[]
}

/** A part that this host does not offer. */
export interface ConfinementGap {
  part: ConfinementPart
  /** What is missing, as a sentence. */
  detail: string
  /** What to do about it. */
  fix?: string
}
