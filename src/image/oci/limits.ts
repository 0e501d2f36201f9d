/** How much is taken from a registry, or from a file that says it is an image: all of them are foreign. */

/** Of a manifest or an index, in bytes: what registries take at most (https://github.com/opencontainers/distribution-spec, "Pushing Manifests"). */
export const manifestBytesMax: number = 4 * 1024 * 1024

/** Of an image's configuration, in bytes: as large as its history and environment make it, some 10 KiB; the largest seen are below 1 MiB. */
export const configBytesMax: number = 8 * 1024 * 1024

/** Of one image: what Docker's overlay driver takes at most, so no image that runs elsewhere has more. */
export const layersMax = 127

/** Of one layer as it is transferred, in bytes: larger than the largest that registries take (10 GB at GitHub's). */
export const layerBytesMax: number = 16 * 1024 ** 3

/** Of all layers of one image as they are transferred, in bytes. */
export const imageBytesMax: number = 32 * 1024 ** 3

/** How deep an index may lie in an index: one for the platforms, one for what a layout or a mirror puts around it, one to spare. */
export const indexDepthMax = 3

/** Of a configuration: what `execve` takes of one string (MAX_ARG_STRLEN), in bytes. */
export const configTextBytesMax: number = 128 * 1024

/** Of a configuration's environment, entrypoint or command: entries. */
export const configEntriesMax = 4_096
