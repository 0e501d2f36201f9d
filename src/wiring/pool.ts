/** A pool, put together from the parts of this host. */

import { availableParallelism } from 'node:os'
import { assertConfined, availableMemoryMib, defaultStateDirectory, infoOf, noteGaps } from '../host/index.ts'
import type { Hypervisor, Isolation } from '../hypervisor/index.ts'
import type { GuestImage, RootImages } from '../image/index.ts'
import { bootMachine, parkMachine } from '../machine/index.ts'
import {
  assertPoolOptions,
  type CreateSandboxOptions,
  MachinePool,
  type MachineSource,
  type Pool,
  type PoolOptions,
  wantedIsolation,
} from '../pool/index.ts'
import type { Sandbox } from '../sandbox/index.ts'
import { planBoot, resolveTemplates, rooted, Templates } from '../template/index.ts'
import { assertHardware, openHost } from './host.ts'
import { rootImages } from './images.ts'

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
    source: machineSource({
      templates: new Templates({ hypervisor, image, isolation, stateDirectory }),
      images: await rootImages(options.registries),
      hypervisor,
      image,
      isolation,
    }),
  })
}

interface Parts {
  readonly templates: Templates
  readonly images: RootImages
  readonly hypervisor: Hypervisor
  readonly image: GuestImage
  readonly isolation: Isolation
}

/** Where the pool's machines come from: stored templates, and clones and boots through the hypervisor. */
function machineSource({ templates, images, hypervisor, image, isolation }: Parts): MachineSource {
  return {
    rooted: (template, building) => rooted(template, images, building),
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
