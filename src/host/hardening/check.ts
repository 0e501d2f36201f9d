/** A finding about the host: what it is called, and how bad it is. */

import type { DoctorCheck } from '../doctor.ts'

/** @param weakness a sentence, undefined where there is none and `detail` says what there is */
export function check(name: string, weakness: string | undefined, detail: string, fix: string): DoctorCheck {
  if (weakness === undefined) return { name: `host: ${name}`, status: 'pass', detail }
  // None of them keeps a sandbox from being created.
  return { name: `host: ${name}`, status: 'warn', detail: weakness, fix }
}
