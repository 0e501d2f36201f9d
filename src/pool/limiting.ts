/** What one sandbox may use of what its template has: checked, and set once its microVM is taken. */

import type { Limits, Measured } from '../agent/index.ts'
import { WarmcellError } from '../errors.ts'
import type { Machine } from '../machine/index.ts'
import type { Resources, Template } from '../template/index.ts'

/** Two round trips of a millisecond; a guest that has not answered by then does not. */
const limitDeadlineMs = 5_000

/** The writable layer lives in the guest's memory. At boot it may take this share of what the tenant may hold, and it must not take more of less. */
const diskShareOfMemory = 0.75

const mib = 1_048_576

/**
 * The limits that are below the template's; undefined where there are none, and nothing is to be said to the guest.
 *
 * @throws `INVALID_ARGUMENT` naming the template's value when one is above it.
 */
export function limitsOf(resources: Resources | undefined, template: Template): Limits | undefined {
  const below: Resources = { ...resources }
  for (const name of ['vcpus', 'memoryMib', 'diskMib', 'pids'] as const) {
    const [asked, most] = [below[name], template.resources[name]]
    if (asked === undefined || asked < most) continue
    if (asked > most) {
      throw new WarmcellError(
        'INVALID_ARGUMENT',
        `createSandbox: option 'resources.${name}' is ${asked}, and template '${template.name}' has ${most}.`,
        { hint: 'A sandbox may have less than its template: raise that one’s resources, or use another.' },
      )
    }
    delete below[name]
  }
  const { vcpus, memoryMib, diskMib, pids } = below
  const limits: Limits = {
    ...(vcpus !== undefined && { cpuPercent: Math.round(vcpus * 100) }),
    ...(memoryMib !== undefined && { memoryBytes: memoryMib * mib }),
    ...(diskMib !== undefined && { diskBytes: diskMib * mib }),
    ...(pids !== undefined && { processes: pids }),
  }
  return Object.keys(limits).length === 0 ? undefined : limits
}

/** The same within what this guest has: a part of its memory is its kernel's and its agent's, and a small guest's disk is smaller than asked for. */
export function within({ memoryBytes, diskBytes, ...rest }: Limits, guest: Measured): Limits {
  const memory = Math.min(memoryBytes ?? guest.memoryMaxBytes, guest.memoryMaxBytes)
  const share = memoryBytes === undefined ? guest.diskMaxBytes : Math.floor(memory * diskShareOfMemory)
  const disk = Math.min(diskBytes ?? guest.diskMaxBytes, guest.diskMaxBytes, share)
  return {
    ...rest,
    ...(memory < guest.memoryMaxBytes && { memoryBytes: memory }),
    ...(disk < guest.diskMaxBytes && { diskBytes: disk }),
  }
}

/**
 * Sets them. Nothing is sent where there is nothing to limit.
 *
 * @throws `INVALID_ARGUMENT` when the template uses more already; `BOOT_FAILED`, `GUEST_UNREACHABLE`, `PROTOCOL`, `TIMEOUT`, or the signal's reason.
 */
export async function limit(
  { connection }: Machine,
  resources: Resources | undefined,
  template: Template,
  signal: AbortSignal,
): Promise<void> {
  let limits = limitsOf(resources, template)
  if (limits === undefined) return
  const calling = { signal, timeoutMs: limitDeadlineMs }
  if (limits.memoryBytes !== undefined || limits.diskBytes !== undefined)
    limits = within(limits, await connection.limits.measure(calling))
  if (Object.keys(limits).length > 0) await connection.limits.set(limits, calling)
}
