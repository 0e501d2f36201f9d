/** What a blob holds, by the name its descriptor gives: the OCI's names, and Docker's for the same. */

import type { LayerCompression } from './contract.ts'
import { PullFailure } from './failure.ts'

const oci = 'application/vnd.oci.image'
const docker = 'application/vnd.docker'

export const ociManifestType: string = `${oci}.manifest.v1+json`
export const ociIndexType: string = `${oci}.index.v1+json`
export const ociConfigType: string = `${oci}.config.v1+json`
export const ociLayerType: string = `${oci}.layer.v1.tar`

const manifestTypes: ReadonlySet<string> = new Set([ociManifestType, `${docker}.distribution.manifest.v2+json`])
const indexTypes: ReadonlySet<string> = new Set([ociIndexType, `${docker}.distribution.manifest.list.v2+json`])

/** What a registry is asked for: of an image that it has in several forms, it then chooses one that can be read. */
export const acceptedTypes: string = [...indexTypes, ...manifestTypes].join(', ')

export function isManifestType(mediaType: string): boolean {
  return manifestTypes.has(mediaType)
}

export function isIndexType(mediaType: string): boolean {
  return indexTypes.has(mediaType)
}

/** Docker's name stands for a compressed one. Foreign layers are taken from the registry like others, or not at all: URLs in a manifest are not followed. */
const layerTypes: ReadonlyMap<string, LayerCompression> = new Map<string, LayerCompression>([
  [ociLayerType, 'none'],
  [`${ociLayerType}+gzip`, 'gzip'],
  [`${ociLayerType}+zstd`, 'zstd'],
  [`${oci}.layer.nondistributable.v1.tar`, 'none'],
  [`${oci}.layer.nondistributable.v1.tar+gzip`, 'gzip'],
  [`${oci}.layer.nondistributable.v1.tar+zstd`, 'zstd'],
  [`${docker}.image.rootfs.diff.tar`, 'none'],
  [`${docker}.image.rootfs.diff.tar.gzip`, 'gzip'],
  [`${docker}.image.rootfs.diff.tar.zstd`, 'zstd'],
  [`${docker}.image.rootfs.foreign.diff.tar`, 'none'],
  [`${docker}.image.rootfs.foreign.diff.tar.gzip`, 'gzip'],
])

/** How a layer is packed. */
export function compressionOf(mediaType: string): LayerCompression {
  const compression = layerTypes.get(mediaType)
  if (compression !== undefined) return compression
  const encrypted = mediaType.endsWith('+encrypted')
  throw new PullFailure(
    encrypted ? 'its layers are encrypted' : 'it has a layer that is no tar file: it is an artifact, not a container image',
    {
      hint: encrypted ? 'Decrypt it first, for example with `skopeo copy --decryption-key`.' : 'Name a container image.',
    },
  )
}

/** Whether whoever built the image did not want the layer pushed: then a registry need not have it. */
export function isForeign(mediaType: string): boolean {
  return /nondistributable|foreign/.test(mediaType)
}
