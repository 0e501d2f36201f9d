/** Makes the disk image that a microVM takes as its root from the layers of a container image. Nothing of the image becomes a path of this host. */

import { randomBytes } from 'node:crypto'
import { chmod, rename, rm, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Cleanup } from '../../common/cleanup.ts'
import { onAbort } from '../../common/on-abort.ts'
import { WarmcellError } from '../../errors.ts'
import { identityText, type Leftover, leftIn, ownIdentity, parseIdentity, removeFile, syncToDisk } from '../../host/index.ts'
import { defaultLayerLimits, type LayerLimits, readTree } from '../layers/index.ts'
import type { ImageEvent, PulledImage } from '../oci/contract.ts'
import { Progress } from '../progress.ts'
import type { RootFormat } from '../root-image.ts'
import type { Tools } from '../tool.ts'
import { diskFormat, toolArguments } from './format.ts'
import { addHome } from './home.ts'
import { ImageTar } from './image-tar.ts'

interface DiskOptions {
  readonly tools: Tools
  onEvent?: ((event: ImageEvent) => void) | undefined
  signal?: AbortSignal | undefined
  /** In place of some of the defaults. */
  limits?: Partial<LayerLimits> | undefined
}

interface Disk {
  readonly format: RootFormat
  readonly sizeBytes: number
  /** Names in it, the root included. */
  readonly entries: number
}

/** More only wait for each other: the bytes come from one pipe. */
const jobsMax = 4

const mib = 1_048_576

/** What a disk has beside the bytes of its files, at most: names, owners and places of all entries. */
const tablesMibMax = 1_024

/** It holds the names in memory, as this process does, and a few blocks for each job. */
const toolMemoryMib = 2_048

/**
 * Makes the disk in a file beside the output, and renames it when it is whole: read-only, and on the disk. On any failure nothing is left.
 * Equal images give equal bytes.
 *
 * @throws `IMAGE` for an image that breaks a rule of {@link LayerLimits} or of the specification, and when the disk cannot be written; `HOST_UNSUPPORTED` without the tool
 */
export async function makeDisk(image: PulledImage, hostOutputPath: string, options: DiskOptions): Promise<Disk> {
  const { tools, signal, onEvent } = options
  signal?.throwIfAborted()
  // Each blob is read twice.
  const totalBytes = 2 * image.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const progress = new Progress('disk', image.reference, totalBytes, (event) => onEvent?.(event))
  progress.begin()
  const limits = { ...defaultLayerLimits, ...options.limits }
  const reading = {
    ...{ limits, tools },
    onRead: (bytes: number) => progress.add(bytes),
    signal,
  }
  const root = await readTree(image, reading)
  addHome(root)
  const tar = new ImageTar(image, root, reading)
  const cleanup = new Cleanup()
  const hostDraftPath = `${resolve(hostOutputPath)}.${identityText(await ownIdentity())}.${randomBytes(4).toString('hex')}${draftSuffix}`
  // What cannot be removed now is found by `disksLeft`; why the disk failed is what has to be said.
  cleanup.defer(() => rm(hostDraftPath, { force: true }).catch(() => {}))
  try {
    const args = toolArguments(hostDraftPath, Math.min(availableParallelism(), jobsMax))
    const output = { hostPath: hostDraftPath, mibMax: Math.ceil(limits.imageBytesMax / mib) + tablesMibMax }
    const tool = await tools.start('tar2sqfs', { args, memoryMib: toolMemoryMib, output })
    cleanup.defer(() => tool.kill())
    if (signal) cleanup.defer(onAbort(signal, () => void tool.kill()))
    tool.stdout.resume()
    try {
      await pipeline(tar.bytes(), tool.stdin, { ...(signal && { signal }) })
    } catch (cause) {
      // What is wrong with the image is in words already; of its input's end the program knows why.
      if (!WarmcellError.is(cause) && !signal?.aborted) await tool.ended
      throw cause
    }
    await tool.ended
    const sizeBytes = await seal(hostDraftPath)
    signal?.throwIfAborted()
    await rename(hostDraftPath, hostOutputPath)
    progress.finish()
    return { format: diskFormat, sizeBytes, entries: tar.entries }
  } catch (cause) {
    throw worded(image, cause, signal)
  } finally {
    await cleanup.run()
  }
}

/** Read-only, and on the disk: a name must not survive a crash of the host that its bytes do not. */
async function seal(hostPath: string): Promise<number> {
  await chmod(hostPath, 0o444)
  await syncToDisk(hostPath)
  return (await stat(hostPath)).size
}

function worded(image: PulledImage, cause: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason
  if (WarmcellError.is(cause)) return cause
  return new WarmcellError('IMAGE', `The disk of ${image.digest} cannot be written: ${(cause as Error).message}.`, { cause })
}

const draftSuffix = '.draft'

/** Half-made disks below a directory whose makers are dead. */
export function disksLeft(hostDirectory: string): Promise<Leftover[]> {
  const parse = (name: string) => {
    const [, text = ''] = /\.([\w-]+)\.[0-9a-f]{8}\.draft$/.exec(name) ?? []
    const owner = parseIdentity(text)
    return owner && { owner }
  }
  return leftIn(hostDirectory, { kind: 'file', parse, remove: removeFile })
}
