/** How the process of a microVM ended, as the part of a sentence. */

import type { VmEnd } from '../hypervisor/index.ts'

export function describeEnd({ exitCode, signal, reason }: VmEnd): string {
  if (reason !== undefined) return reason
  // It touched a page that the host cannot give it.
  if (signal === 'SIGBUS')
    return 'the host had no page left for its memory (SIGBUS): the file system that its template lies in is full, or the template was truncated'
  return `its process ended with ${signal ?? `exit code ${exitCode}`}`
}

/** What is certain about an end that others only saw as a connection that closed; undefined where the process says no more than that. */
export function evidenceOf(end: VmEnd): string | undefined {
  const ownDoing = end.reason !== undefined || (end.signal !== null && end.signal !== 'SIGKILL')
  return ownDoing ? describeEnd(end) : undefined
}
