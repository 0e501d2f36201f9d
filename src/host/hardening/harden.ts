/** What an operator could still do for this host, found out and judged. */

import type { DoctorCheck } from '../doctor.ts'
import { type HostPaths, readHostFacts } from './facts.ts'
import { hostChecks } from './host-checks.ts'
import { processChecks } from './process-checks.ts'

/** Each check is named in its section of docs/security/hardening.md. */
export async function hardeningChecks(paths: HostPaths): Promise<DoctorCheck[]> {
  const facts = await readHostFacts(paths)
  return [...hostChecks(facts), ...processChecks(facts)]
}
