/** What is known of a container image once it is on this host. The words are those of the OCI's image specification: https://github.com/opencontainers/image-spec */

/** What of an image's configuration a microVM honours. */
export interface ImageConfig {
  /** `NAME=value`, in the image's order. */
  readonly env: readonly string[]
  /** `user[:group]`, by name or number; '' where the image says nothing. */
  readonly user: string
  /** '' where the image says nothing. */
  readonly workingDirectory: string
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
}

/** How a layer's tar file is packed. */
export type LayerCompression = 'none' | 'gzip' | 'zstd'

/** One layer, on this host and verified: its size and its digest were those of its descriptor. */
export interface PulledLayer {
  /** `sha256:` and 64 hex digits: of the blob, as it is transferred and stored. */
  readonly digest: string
  /** `sha256:` and 64 hex digits: what its tar file must have when unpacked. Whoever unpacks it checks. */
  readonly diffId: string
  readonly compression: LayerCompression
  /** Of the blob. */
  readonly sizeBytes: number
  readonly hostPath: string
}

/** An image of one platform, all of it on this host. */
export interface PulledImage {
  /** As it was asked for, for messages. */
  readonly reference: string
  /** `sha256:` and 64 hex digits: of the manifest of this platform. */
  readonly digest: string
  readonly config: ImageConfig
  /** The lowest first. */
  readonly layers: readonly PulledLayer[]
}

/** What is being done for an image. Sizes in bytes. */
export type ImageEvent =
  /** The reference was resolved, and so many bytes of so many layers are not on this host yet. */
  | {
      readonly type: 'pull'
      readonly reference: string
      readonly digest: string
      readonly layers: number
      readonly bytes: number
    }
  /** So much of all that is missing has come, some ten times a second. */
  | { readonly type: 'transfer'; readonly reference: string; readonly doneBytes: number; readonly totalBytes: number }
  /** The layers are made one disk: so much of all blobs has been read, twice over. */
  | { readonly type: 'disk'; readonly reference: string; readonly doneBytes: number; readonly totalBytes: number }

/** What is said of one registry, by its host name and port. */
export interface RegistryOptions {
  /** Speak plain HTTP to it: whoever is on the way sees and changes everything but what a digest covers. Default false. */
  plainHttp?: boolean
  /** Asked before it, in this order: `host[:port][/path]`. What a mirror lacks, or cannot be asked for, is asked of the next. */
  mirrors?: string[]
  /** In place of what `docker login` has stored. */
  auth?: { username: string; password: string } | { token: string }
}

/** By the name of the registry as a reference says it: `docker.io`, `localhost:5000`. */
export type Registries = Readonly<Record<string, RegistryOptions>>
