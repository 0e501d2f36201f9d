/** How the process of a microVM ended, as the part of a sentence. */

import type { VmEnd } from '../hypervisor/index.ts'

/** What a process ends with that touches a page which the host cannot give it; a parent between tells it as an exit code. */
const busError = { signal: 'SIGBUS', exitCode: 128 + 7 } as const

export function describeEnd({ exitCode, signal, reason }: VmEnd): string {
  if (reason !== undefined) return reason
  if (signal === busError.signal || exitCode === busError.exitCode)
    return 'the host had no page left for its memory (SIGBUS): the file system that its template lies in is full, or the template was truncated'
  return `its process ended with ${signal ?? `exit code ${exitCode}`}`
}

/** What is certain about an end that others only saw as a connection that closed; undefined where the process says no more than that. */
export function evidenceOf(end: VmEnd): string | undefined {
  const ownDoing =
    end.reason !== undefined || end.exitCode === busError.exitCode || (end.signal !== null && end.signal !== 'SIGKILL')
  return ownDoing ? describeEnd(end) : undefined
}
