/** Whose a microVM is: from its process up to the one that made it, past whatever starts and confines it on the way. */

import type { VmFacts } from '../hypervisor/index.ts'
import { kinOf, type ProcessKin } from './processes.ts'

/** Tells a microVM by its command line. */
export type Recognise = (argv: readonly string[]) => VmFacts | undefined

/** The microVM that a process is, or that it starts and stands before: a wrapper has the words of what it wraps behind a `--`. */
export function vmBehind(argv: readonly string[], recognise: Recognise): VmFacts | undefined {
  const ends = argv.flatMap((word, at) => (word === '--' ? [at + 1] : []))
  return [0, ...ends].map((begin) => recognise(argv.slice(begin))).find((facts) => facts !== undefined)
}

/**
 * The first ancestor that is no wrapper. Undefined when it has died: whoever takes its children in instead, such as init, is of another session, for nobody else than a
 * process itself ever changes that.
 */
export async function ownerOf(vm: ProcessKin, recognise: Recognise): Promise<ProcessKin | undefined> {
  for (let child = vm; ; ) {
    const parent = await kinOf(child.parentPid)
    if (parent === undefined) return undefined
    if (vmBehind(parent.argv, recognise) === undefined) return parent.session === child.session ? parent : undefined
    child = parent
  }
}
