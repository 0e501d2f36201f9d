export { cacheDirectory } from './cache-directory.ts'
export {
  assertImagePruneOptions,
  assertImagePullOptions,
  assertOpenImagesOptions,
  type ImageCatalog,
  type ImageInfo,
  type ImagePruneOptions,
  type ImagePruneReport,
  type ImagePullOptions,
  type OpenImagesOptions,
} from './catalog.ts'
export { userHome } from './disk/index.ts'
export { findGuestImage, type GuestImage } from './guest-image.ts'
export {
  type ImageConfig,
  type ImageEvent,
  type PullPolicy,
  parseReference,
  type Registries,
  type RegistryOptions,
  registriesSchema,
} from './oci/index.ts'
export { registriesOfEnvironment } from './registries.ts'
export { rootFormatOf } from './root-image.ts'
export { imageSweeper, type RootImage, RootImages } from './root-images.ts'
export { imageToolsThere } from './tool.ts'
