/** Container images, put together from the parts of this host. */

import {
  assertImagePruneOptions,
  assertImagePullOptions,
  assertOpenImagesOptions,
  cacheDirectory,
  type ImageCatalog,
  type OpenImagesOptions,
  type Registries,
  RootImages,
  registriesOfEnvironment,
} from '../image/index.ts'

/**
 * The container images that are on this host, and the disks that were made of them: to pull ahead of time, such as when an application is deployed, and to clear away. A
 * template with `root: { oci }` pulls what it lacks by itself.
 *
 * @throws `INVALID_ARGUMENT`
 *
 * @example
 * ```ts
 * const images = await openImages()
 * const { disks, freedBytes } = await images.prune({ unusedForMs: 90 * 86_400_000 })
 * console.log(`${disks} disks removed, ${freedBytes} bytes freed`)
 * ```
 */
export async function openImages(options: OpenImagesOptions = {}): Promise<ImageCatalog> {
  assertOpenImagesOptions(options)
  const images = await rootImages(options.registries)
  return {
    pull: async (reference, pulling = {}) => {
      assertImagePullOptions(reference, pulling)
      const { pull: policy = 'always', ...rest } = pulling
      const { digest, sizeBytes, config } = await images.root(reference, { policy, ...rest })
      return { reference, digest, sizeBytes, config }
    },
    prune: async (pruning = {}) => {
      assertImagePruneOptions(pruning)
      return images.prune(pruning)
    },
  }
}

/** @throws `INVALID_ARGUMENT` when `WARMCELL_REGISTRIES` names no such file. */
export async function rootImages(registries: Registries | undefined): Promise<RootImages> {
  return new RootImages({ cacheDirectory: cacheDirectory(), registries: registries ?? (await registriesOfEnvironment()) })
}
