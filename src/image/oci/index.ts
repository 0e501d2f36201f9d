export type {
  ImageConfig,
  ImageEvent,
  PulledImage,
  PullPolicy,
  Registries,
  RegistryOptions,
} from './contract.ts'
export { pullImage } from './pull.ts'
export { formatReference, parseReference } from './reference.ts'
export { registriesSchema } from './registry/options.ts'
export { pruneBlobs, storeLeft } from './store/prune.ts'
