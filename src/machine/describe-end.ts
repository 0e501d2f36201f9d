/** How the process of a microVM ended, as the part of a sentence. */

import type { VmEnd } from '../hypervisor/index.ts'

export function describeEnd({ exitCode, signal, reason }: VmEnd): string {
  return reason ?? `its process ended with ${signal ?? `exit code ${exitCode}`}`
}
