/** What the outside sees of container images on this host. */

import { z } from 'zod'
import { abortSignal, assertValid, callback, durationMs, plainText } from '../common/validate.ts'
import { type ImageConfig, type ImageEvent, type PullPolicy, type Registries, registriesSchema } from './oci/index.ts'

export interface OpenImagesOptions {
  /** As the pool's. */
  registries?: Registries
}

export interface ImagePullOptions {
  /** Default 'always': what a tag stands for now. */
  pull?: PullPolicy
  onEvent?: (event: ImageEvent) => void
  signal?: AbortSignal
}

/** A container image that is on this host, with the disk that was made of it. */
export interface ImageInfo {
  /** As it was asked for. */
  reference: string
  /** Of its manifest for this host's processor: `sha256:` and 64 hex digits. */
  digest: string
  /** What its disk takes on the host. */
  sizeBytes: number
  /** What it says of how it is to be run. */
  config: ImageConfig
}

export interface ImagePruneOptions {
  /** Remove everything that no living process uses. */
  all?: boolean
  /** Remove what no living process uses and nobody has asked for in so many milliseconds. */
  unusedForMs?: number
}

/** What was removed. */
export interface ImagePruneReport {
  /** Disks that had been made of images. */
  disks: number
  /** Manifests, configurations and layers. */
  blobs: number
  freedBytes: number
}

/** The container images of this user on this host. Get it from `openImages`. */
export interface ImageCatalog {
  /**
   * Pulls an image and makes a disk of it: ahead of time, or because its tag may stand for something else by now. Templates that name the tag are made of what it brings.
   *
   * @throws `INVALID_ARGUMENT` for what is no reference; `IMAGE` when it cannot be pulled or is not as it should be; `HOST_UNSUPPORTED` when this host lacks the program that
   * makes disks; the signal's reason.
   */
  pull(reference: string, options?: ImagePullOptions): Promise<ImageInfo>
  /** Removes what nobody needs, and what killed processes have left half done. What was removed is pulled and made anew when it is asked for. */
  prune(options?: ImagePruneOptions): Promise<ImagePruneReport>
}

const openSchema = z.strictObject({ registries: registriesSchema.optional() })
const pullSchema = z.strictObject({
  reference: plainText.refine((text) => text !== '', 'expected the name of an image'),
  pull: z.enum(['missing', 'always'], "expected 'missing' or 'always'").optional(),
  signal: abortSignal.optional(),
  onEvent: callback.optional(),
})
const pruneSchema = z.strictObject({
  all: z.boolean({ error: 'expected true or false' }).optional(),
  unusedForMs: durationMs.optional(),
})

/** @throws `INVALID_ARGUMENT` */
export function assertOpenImagesOptions(options: OpenImagesOptions): void {
  assertValid(openSchema, options, 'openImages')
}

/** @throws `INVALID_ARGUMENT` */
export function assertImagePullOptions(reference: string, options: ImagePullOptions): void {
  assertValid(pullSchema, { ...options, reference }, 'pull')
}

/** @throws `INVALID_ARGUMENT` */
export function assertImagePruneOptions(options: ImagePruneOptions): void {
  assertValid(pruneSchema, options, 'prune')
}
