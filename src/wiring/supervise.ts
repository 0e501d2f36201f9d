/** What is asked of a host and not of a pool: what it can run, what runs on it, and what the dead have left. */

import {
  assertReapOptions,
  type DoctorReport,
  defaultStateDirectory,
  examine,
  hardeningChecks,
  leftBehind,
  type MicrovmInfo,
  prepareStateDirectory,
  type ReapOptions,
  type ReapReport,
  sweep,
} from '../host/index.ts'
import { findGuestImage, imageToolsThere } from '../image/index.ts'
import { wantedIsolation } from '../pool/index.ts'
import { templateParent } from '../template/index.ts'
import { allSweepersOf, findHypervisor, hardwareVerdict, hypervisorName, microvms } from './host.ts'

/** What this host can run, what it lacks, and the command that mends it. Boots a guest to prove an accelerator. Never throws for a lacking host. */
export async function doctor(): Promise<DoctorReport> {
  const stateDirectory = defaultStateDirectory()
  const wanted = wantedIsolation()
  const [found, image] = [findHypervisor(stateDirectory), findGuestImage()]
  // Each is asked for below, and what is lacking is said there.
  for (const search of [found, image]) search.catch(() => {})
  return examine({
    wanted,
    hypervisor: hypervisorName,
    guestImage: async () => {
      const { kernelRelease, hostDirectory } = await image
      return `Linux ${kernelRelease}, at ${hostDirectory}`
    },
    imageTools: imageToolsThere,
    hardware: async () => hardwareVerdict((await found).hypervisor, await image, stateDirectory, true),
    confinement: async () => (await found).confinement,
    stateDirectory: async () => {
      await prepareStateDirectory(stateDirectory)
      return stateDirectory
    },
    leftBehind: () => leftBehind(allSweepersOf(stateDirectory)),
    hardening: async () =>
      process.platform === 'linux' ? hardeningChecks({ root: '/', state: stateDirectory, templates: templateParent() }) : [],
  })
}

/**
 * The microVMs of this user on this host, whichever process made them, those included that have outlived it: what a supervisor looks at from outside. A pool knows more of its own (`listSandboxes`, `stats`). What
 * ends meanwhile is left out.
 *
 * @throws `UNSUPPORTED` on another system than Linux.
 *
 * @example
 * ```ts
 * await using sandbox = await createSandbox()
 * for (const { id, state, memoryBytes, owner } of await listMicrovms())
 *   console.log(id, id === sandbox.id, state, Math.round(memoryBytes / 2 ** 20), owner.pid === process.pid)
 * ```
 */
export function listMicrovms(): Promise<MicrovmInfo[]> {
  return microvms()
}

/**
 * Removes what processes that were killed have left on this host: microVMs that still run, half-made templates, and traces. By who they are (pid, start time, boot), never by
 * age: what belongs to a living process, whichever it is, is not touched. Each pool does so for its own state directory when it is made; this is for the time between, and also
 * removes templates in memory whose state directory is gone. Never throws for something that cannot be removed: it is in `left`.
 *
 * @throws `INVALID_ARGUMENT`
 *
 * @example
 * ```ts
 * const { removed, left } = await reap()
 * for (const { kind, name } of removed) console.log('removed', kind, name)
 * for (const { name, reason } of left) console.log(name, 'is still there:', reason)
 * console.log(removed.length, 'removed')
 * ```
 */
export async function reap(options: ReapOptions = {}): Promise<ReapReport> {
  assertReapOptions(options)
  return sweep(allSweepersOf(options.stateDir ?? defaultStateDirectory()))
}
