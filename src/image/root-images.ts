/** Container images as root file systems: pulled, made a disk each, and kept for whoever asks next. */

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SharedWork } from '../common/shared-work.ts'
import { allocatedBytes, type Sweeper } from '../host/index.ts'
import type { ImagePruneOptions, ImagePruneReport } from './catalog.ts'
import { diskKey, makeDisk } from './disk/index.ts'
import { Disks, diskTracesLeft } from './disks.ts'
import {
  type ImageConfig,
  type ImageEvent,
  type PullPolicy,
  pruneBlobs,
  pullImage,
  type Registries,
  storeLeft,
} from './oci/index.ts'
import { Tools } from './tool.ts'

export interface RootImagesOptions {
  /** Where images and their disks are kept; all of it can be made again. */
  readonly cacheDirectory: string
  readonly registries: Registries
}

export interface RootOptions {
  readonly policy?: PullPolicy
  readonly onEvent?: (event: ImageEvent) => void
  readonly signal?: AbortSignal
}

/** An image on this host, as a disk that a microVM can start from. */
export interface RootImage {
  readonly hostPath: string
  /** Of what the disk was made from: equal keys, equal disks. */
  readonly key: string
  /** Of the manifest. */
  readonly digest: string
  /** What the disk takes on the host. */
  readonly sizeBytes: number
  readonly config: ImageConfig
}

export class RootImages {
  readonly #options: RootImagesOptions
  readonly #disks: Disks
  readonly #tools: Tools
  readonly #roots: SharedWork<RootImage, ImageEvent> = new SharedWork()

  constructor(options: RootImagesOptions) {
    this.#options = options
    this.#disks = new Disks(options.cacheDirectory)
    this.#tools = new Tools(join(options.cacheDirectory, 'programs'))
  }

  /**
   * The disk of an image: found, or made first. Many callers at once, in this process or in others, pull and make it once.
   *
   * @throws `INVALID_ARGUMENT` for what is no reference; `IMAGE` when it cannot be pulled or is not as it should be; `HOST_UNSUPPORTED` when this host lacks the program that
   * makes disks; the signal's reason.
   */
  async root(reference: string, { policy = 'missing', onEvent, signal }: RootOptions = {}): Promise<RootImage> {
    return this.#roots.join(`${policy} ${reference}`, { signal, onEvent }, (wanted, announce) =>
      this.#find(reference, policy, wanted, announce),
    )
  }

  async #find(
    reference: string,
    policy: PullPolicy,
    signal: AbortSignal,
    announce: (event: ImageEvent) => void,
  ): Promise<RootImage> {
    const { cacheDirectory, registries } = this.#options
    const image = await pullImage(reference, { cacheDirectory, registries, policy, onEvent: announce, signal })
    const key = await diskKey(image, this.#tools)
    const hostPath = await this.#disks.use(key, signal, (made) =>
      makeDisk(image, made, { tools: this.#tools, onEvent: announce, signal }),
    )
    const sizeBytes = allocatedBytes(await stat(hostPath))
    return { hostPath, key, digest: image.digest, sizeBytes, config: image.config }
  }

  /** Removes what no living process uses, of what has not been asked for in so long, and what dead processes have left half done. */
  async prune({ all = false, unusedForMs }: ImagePruneOptions): Promise<ImagePruneReport> {
    const { cacheDirectory } = this.#options
    const since = all ? Number.POSITIVE_INFINITY : Date.now() - (unusedForMs ?? Number.POSITIVE_INFINITY)
    const disks = await this.#disks.prune(since)
    const { blobs, freedBytes } = await pruneBlobs({ cacheDirectory, all, ...(unusedForMs !== undefined && { unusedForMs }) })
    const ofDisks = disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    return { disks: disks.length, blobs: blobs.length, freedBytes: freedBytes + ofDisks }
  }
}

/** What processes that are dead have left half done of images and their disks. */
export function imageSweeper(cacheDirectory: string): Sweeper {
  return async () => [...(await storeLeft(cacheDirectory)), ...(await diskTracesLeft(cacheDirectory))]
}
