/** Which parts a pool is made of on this host: the one place that names a hypervisor. */

import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { WarmcellError } from './errors.ts'
import {
  assertConfined,
  assertReapOptions,
  availableMemoryMib,
  type Confinement,
  cgroupsLeft,
  confine,
  type DoctorReport,
  defaultStateDirectory,
  examine,
  type HardwareVerdict,
  hardeningChecks,
  infoOf,
  Journal,
  journalled,
  journalledOwners,
  leftBehind,
  type MicrovmInfo,
  microvmsLeft,
  microvmsOf,
  noteGaps,
  prepareStateDirectory,
  probeDeadlineMs,
  probeHardware,
  type ReapOptions,
  type ReapReport,
  remedy,
  type Sweeper,
  sweep,
  sweepInPassing,
  temporaryFilesLeft,
} from './host/index.ts'
import type { Hypervisor, Isolation } from './hypervisor/index.ts'
import { findQemu, QemuHypervisor, recogniseVm } from './hypervisor/qemu/index.ts'
import { findGuestImage, type GuestImage } from './image/index.ts'
import { bootMachine, parkMachine } from './machine/index.ts'
import {
  assertPoolOptions,
  type CreateSandboxOptions,
  MachinePool,
  type MachineSource,
  type Pool,
  type PoolOptions,
  wantedIsolation,
} from './pool/index.ts'
import type { Sandbox } from './sandbox/index.ts'
import {
  assertBuildOptions,
  assertOpenOptions,
  assertPruneOptions,
  type OpenTemplatesOptions,
  orphanPlaceSweeper,
  planBoot,
  resolveTemplate,
  resolveTemplates,
  type TemplateCatalog,
  Templates,
  templateNameAt,
  templateParent,
  templateSweeper,
} from './template/index.ts'

/** The share of the memory available now that a pool may use by default. */
const memoryShare = 0.75

/** Sandboxes a pool may have by default, per core of the host. */
const sandboxesPerCore = 64

/**
 * A pool owns templates and every sandbox made from them. Checks the host before anything is started.
 *
 * @throws `INVALID_ARGUMENT`; `HOST_UNSUPPORTED` when this host has no QEMU ≥ 8.2, no accelerator under which a guest boots (unless isolation
 * 'emulated' is asked for), or no usable state directory; `IMAGE` when the guest image is missing or damaged.
 *
 * @example
 * ```ts
 * await using pool = await createPool({ isolation: 'emulated', templates: { small: { resources: { memoryMib: 128 } } } })
 * await using sandbox = await pool.createSandbox({ template: 'small', files: { 'hello.txt': 'hello' } })
 * console.log((await sandbox.exec('cat hello.txt')).stdout)
 * ```
 */
export async function createPool(options: PoolOptions = {}): Promise<Pool> {
  assertPoolOptions(options)
  const isolation = wantedIsolation(options)
  const templates = resolveTemplates(options.templates ?? {})
  const stateDirectory = options.stateDir ?? defaultStateDirectory()
  const { hypervisor, confinement, image } = await openHost(stateDirectory)
  if (options.confinement === 'strict') assertConfined(confinement)
  noteGaps(confinement)
  if (isolation === 'hardware') await assertHardware(hypervisor, image, stateDirectory)
  const { memoryMib = Math.floor(availableMemoryMib() * memoryShare), sandboxes = sandboxesPerCore * availableParallelism() } =
    options.budget ?? {}
  return new MachinePool({
    templates,
    budget: { memoryMib, sandboxes },
    isolation,
    confinement: infoOf(confinement),
    defaults: options.defaults ?? {},
    onExhausted: options.onExhausted ?? 'boot',
    acquireTimeoutMs: options.acquireTimeoutMs,
    tenants: options.tenants ?? {},
    // One more than there are cores: each stands still for a part of its making.
    makingsAtOnceMax: availableParallelism() + 1,
    source: machineSource(new Templates({ hypervisor, image, isolation, stateDirectory }), hypervisor, image, isolation),
  })
}

/** What this host has for microVMs. */
interface Host extends HostHypervisor {
  readonly image: GuestImage
}

interface HostHypervisor {
  readonly hypervisor: Hypervisor
  readonly confinement: Confinement
}

/** Everything looked at; and what dead processes have left in the state directory is gone. */
async function openHost(stateDirectory: string): Promise<Host> {
  const [found, image] = await Promise.all([findHypervisor(stateDirectory), findGuestImage()])
  await sweepInPassing(sweepersOf(stateDirectory))
  return { ...found, image }
}

/** QEMU, held by everything that this host can hold it by, and written down before it is started. */
async function findHypervisor(stateDirectory: string): Promise<HostHypervisor> {
  await prepareStateDirectory(stateDirectory)
  const journal = new Journal(stateDirectory)
  const [binary] = await Promise.all([findQemu(), journal.prepare()])
  const confinement = await confine(binary, join(stateDirectory, 'programs'))
  return { hypervisor: await QemuHypervisor.of(binary, journalled(confinement.launcher, journal)), confinement }
}

/** What a dead process may have left of a state directory, by who it was. In this order: a microVM goes before the files that it writes to. */
function sweepersOf(stateDirectory: string): Sweeper[] {
  return [
    () => microvmsLeft(stateDirectory, recogniseVm),
    cgroupsLeft,
    templateSweeper(stateDirectory),
    () => temporaryFilesLeft(stateDirectory),
  ]
}

/** And what is only removed when somebody asks for it. */
function allSweepersOf(stateDirectory: string): Sweeper[] {
  return [...sweepersOf(stateDirectory), orphanPlaceSweeper(stateDirectory)]
}

/** Where the pool's machines come from: stored templates, and clones and boots through the hypervisor. */
function machineSource(templates: Templates, hypervisor: Hypervisor, image: GuestImage, isolation: Isolation): MachineSource {
  return {
    snapshot: (template, building) => templates.snapshot(template, building),
    verify: (snapshot) => templates.verify(snapshot),
    park: (snapshot, id, signal) => parkMachine(hypervisor, snapshot, id, { signal }),
    boot: async (template, id, signal) => bootMachine(hypervisor, await planBoot(template, image, isolation, id), { signal }),
  }
}

let defaultPool: Promise<Pool> | undefined

/**
 * A sandbox from a pool of the whole process, made with every default when first asked for.
 *
 * @throws as `createPool` and `Pool.createSandbox`. A pool that could not be made is tried again at the next call.
 */
export async function createSandbox(options?: CreateSandboxOptions): Promise<Sandbox> {
  defaultPool ??= createPool().catch((error: unknown) => {
    defaultPool = undefined
    throw error
  })
  const pool = await defaultPool
  return pool.createSandbox(options)
}

/**
 * The templates that are stored on this host: to build them ahead of time, such as when an application is deployed, and to clear them away. A pool builds what it
 * lacks by itself.
 *
 * @throws `INVALID_ARGUMENT`; `HOST_UNSUPPORTED` when this host has no QEMU ≥ 8.2 or no usable state directory; `IMAGE` when the guest image is missing or damaged.
 *
 * @example
 * ```ts
 * const templates = await openTemplates({ isolation: 'emulated' })
 * const { name, digest } = await templates.build('greeter', { setup: ['echo hello > /srv/greeting'] })
 * console.log(name, digest, (await templates.list()).length)
 * await templates.remove(digest)
 * ```
 */
export async function openTemplates(options: OpenTemplatesOptions = {}): Promise<TemplateCatalog> {
  assertOpenOptions(options)
  const isolation = wantedIsolation(options)
  const stateDirectory = options.stateDir ?? defaultStateDirectory()
  const { hypervisor, image } = await openHost(stateDirectory)
  const templates = new Templates({ hypervisor, image, isolation, stateDirectory })
  return {
    list: () => templates.list(),
    build: async (name, spec = {}, building = {}) => {
      assertBuildOptions(name, building)
      const template = resolveTemplate(name, spec)
      if (isolation === 'hardware') await assertHardware(hypervisor, image, stateDirectory)
      const { digest, sizeBytes, createdAt } = await templates.snapshot(template, building)
      return { name, digest, sizeBytes, createdAt }
    },
    remove: (nameOrDigest) => templates.remove(nameOrDigest),
    prune: async (pruning = {}) => {
      assertPruneOptions(pruning)
      return templates.prune(pruning)
    },
  }
}

/** What this host can run, what it lacks, and the command that mends it. Boots a guest to prove an accelerator. Never throws for a lacking host. */
export async function doctor(): Promise<DoctorReport> {
  const stateDirectory = defaultStateDirectory()
  const wanted = wantedIsolation()
  const [binary, found, image] = [findQemu(), findHypervisor(stateDirectory), findGuestImage()]
  // Each is asked for below, and what is lacking is said there.
  for (const search of [binary, found, image]) search.catch(() => {})
  return examine({
    wanted,
    hypervisor: async () => `QEMU ${(await binary).version}`,
    guestImage: async () => {
      const { kernelRelease, hostDirectory } = await image
      return `Linux ${kernelRelease}, at ${hostDirectory}`
    },
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
  return microvmsOf({
    recognise: recogniseVm,
    nameOf: templateNameAt,
    journalledOwners: () => journalledOwners(defaultStateDirectory()),
  })
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

async function assertHardware(hypervisor: Hypervisor, image: GuestImage, stateDirectory: string): Promise<void> {
  const verdict = await hardwareVerdict(hypervisor, image, stateDirectory)
  if (verdict.works) return
  throw new WarmcellError('HOST_UNSUPPORTED', `This host has no working hardware isolation. ${verdict.detail}`, {
    hint: remedy(verdict),
  })
}

function hardwareVerdict(
  hypervisor: Hypervisor,
  image: GuestImage,
  stateDirectory: string,
  fresh = false,
): Promise<HardwareVerdict> {
  return probeHardware({
    key: `${hypervisor.name} ${image.key}`,
    stateDirectory,
    fresh,
    boot: async () => {
      const spec = await planBoot(resolveTemplate('base', {}), image, 'hardware', `wc-probe-${randomBytes(4).toString('hex')}`)
      const machine = await bootMachine(hypervisor, spec, { deadlineMs: probeDeadlineMs })
      await machine.destroy()
    },
  })
}
