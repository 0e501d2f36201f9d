export type {
  ImageConfig,
  ImageEvent,
  LayerCompression,
  PulledImage,
  PulledLayer,
  PullPolicy,
  Registries,
  RegistryOptions,
} from './contract.ts'
export type { PullOptions } from './options.ts'
export { pullImage } from './pull.ts'
export { formatReference, type ImageReference, parseReference } from './reference.ts'
export { registriesSchema } from './registry/options.ts'
export { type PruneBlobsOptions, type PrunedBlobs, pruneBlobs } from './store/prune.ts'
