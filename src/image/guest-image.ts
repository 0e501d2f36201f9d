/** The guest image (kernel, initramfs with the agent, built-in root): where it lies, and whether it is whole. */

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { z } from 'zod'
import { packageDirectory } from '../common/package-directory.ts'
import { WarmcellError } from '../errors.ts'
import { cacheDirectory } from './cache-directory.ts'

/** The guest kernels there are: Debian's cloud kernel, or the one compiled with what a microVM needs and no more. */
type GuestKernel = 'stock' | 'minimal'

export interface GuestImage {
  /** Everything the image depends on, as a digest; a template is keyed by it. */
  readonly key: string
  readonly hostDirectory: string
  readonly hostKernelPath: string
  readonly hostInitramfsPath: string
  /** The built-in root file system. */
  readonly hostBaseRootPath: string
  readonly kernel: GuestKernel
  readonly kernelRelease: string
  /** Whether the machine must describe its devices by ACPI; otherwise they stand on the kernel's command line. */
  readonly acpi: boolean
  readonly kernelArguments: readonly string[]
}

const file = z.object({ file: z.string().regex(/^[\w.-]+$/), sha256: z.string(), sizeBytes: z.number().int().positive() })
const manifestSchema = z.object({
  formatVersion: z.literal(1),
  key: z.string(),
  kernelFlavour: z.enum(['stock', 'minimal']),
  kernel: file.extend({ release: z.string(), acpi: z.boolean() }),
  initramfs: file,
  roots: z.object({ base: file }),
  kernelArguments: z.array(z.string()),
})

/**
 * The image named by `WARMCELL_IMAGE_DIR`, or the one that was built from this package's own `guest-image/`: with the kernel that
 * `WARMCELL_KERNEL` says, or else with the minimal one where that has been built.
 *
 * @throws `IMAGE` when there is none, when it has another kernel than was asked for, or when a file of it is missing or of another size than
 * its manifest says; `INVALID_ARGUMENT` when `WARMCELL_KERNEL` is no kernel.
 */
export async function findGuestImage(): Promise<GuestImage> {
  const wanted = wantedKernel()
  const hostDirectory = process.env.WARMCELL_IMAGE_DIR || (await builtImageDirectory(wanted))
  const text = await readFile(join(hostDirectory, 'manifest.json'), 'utf8').catch((cause: unknown) => {
    const hint = wanted === undefined ? buildHint() : buildHint('--kernel', wanted)
    throw new WarmcellError('IMAGE', `There is no guest image at ${hostDirectory}.`, { hint, cause })
  })
  const manifest = parseManifest(text, hostDirectory)
  if (wanted !== undefined && manifest.kernelFlavour !== wanted) {
    const message = `The guest image at ${hostDirectory} has the ${manifest.kernelFlavour} kernel, and WARMCELL_KERNEL is '${wanted}'.`
    throw new WarmcellError('IMAGE', message, { hint: 'Unset one of WARMCELL_KERNEL and WARMCELL_IMAGE_DIR.' })
  }
  for (const { file: name, sizeBytes } of [manifest.kernel, manifest.initramfs, manifest.roots.base]) {
    const size = await stat(join(hostDirectory, name)).then(
      (found) => found.size,
      () => undefined,
    )
    if (size !== sizeBytes) {
      const what = size === undefined ? 'is missing' : `has ${size} bytes instead of ${sizeBytes}`
      throw new WarmcellError('IMAGE', `The guest image at ${hostDirectory} is damaged: ${name} ${what}.`, {
        hint: buildHint('--kernel', manifest.kernelFlavour, '--force'),
      })
    }
  }
  return {
    key: manifest.key,
    hostDirectory,
    hostKernelPath: join(hostDirectory, manifest.kernel.file),
    hostInitramfsPath: join(hostDirectory, manifest.initramfs.file),
    hostBaseRootPath: join(hostDirectory, manifest.roots.base.file),
    kernel: manifest.kernelFlavour,
    kernelRelease: manifest.kernel.release,
    acpi: manifest.kernel.acpi,
    kernelArguments: manifest.kernelArguments,
  }
}

function wantedKernel(): GuestKernel | undefined {
  const wanted = process.env.WARMCELL_KERNEL || undefined
  if (wanted === undefined || wanted === 'stock' || wanted === 'minimal') return wanted
  throw new WarmcellError('INVALID_ARGUMENT', `WARMCELL_KERNEL is '${wanted}'.`, {
    hint: "Set it to 'stock' or 'minimal', or unset it for the best that has been built.",
  })
}

function parseManifest(text: string, hostDirectory: string): z.infer<typeof manifestSchema> {
  try {
    return manifestSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new WarmcellError('IMAGE', `The manifest of the guest image at ${hostDirectory} cannot be read.`, {
      hint: buildHint('--force'),
      cause,
    })
  }
}

function buildHint(...options: string[]): string {
  return `Build it: bash ${[join(packageDirectory(), 'guest-image', 'build'), ...options].join(' ')}`
}

/** `guest-image/build` leaves a link per source key, architecture and kernel in its cache. */
async function builtImageDirectory(wanted: GuestKernel | undefined): Promise<string> {
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  const image = join(cacheDirectory(), 'images', `${await sourceKey(join(packageDirectory(), 'guest-image'))}-${architecture}`)
  return `${image}-${wanted ?? (existsSync(`${image}-minimal`) ? 'minimal' : 'stock')}`
}

/** The digest of the image's sources, computed as `guest-image/build` does: over the lines that sha256sum prints for its files, sorted by path. */
async function sourceKey(hostDirectory: string): Promise<string> {
  const paths = await filesBelow(hostDirectory, '')
  paths.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const whole = createHash('sha256')
  for (const path of paths) {
    const digest = createHash('sha256')
      .update(await readFile(join(hostDirectory, path)))
      .digest('hex')
    whole.update(`${digest}  ${path}\n`)
  }
  return whole.digest('hex').slice(0, 16)
}

/** What a build by hand leaves among the sources. */
const buildOutput = 'agent/target'

async function filesBelow(root: string, directory: string): Promise<string[]> {
  const entries = await readdir(join(root, directory), { withFileTypes: true })
  const paths = entries.map(async (entry) => {
    const path = posix.join(directory, entry.name)
    if (entry.isDirectory()) return path === buildOutput ? [] : filesBelow(root, path)
    return entry.isFile() ? [path] : []
  })
  return (await Promise.all(paths)).flat()
}
