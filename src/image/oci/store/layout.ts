/** Where the cache of images keeps what, below one directory of this user alone. */

import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { preparePrivateDirectory } from '../../../host/index.ts'
import { hexOf } from '../digest.ts'
import { PullFailure } from '../failure.ts'

export interface StoreLayout {
  /** Whole, verified and read-only: `sha256/<hex>`. */
  readonly blobs: string
  /** What has come of a blob so far, by its digest: written under the lock of that digest only. */
  readonly partial: string
  /** Which manifest a tag stood for when it was last asked for. */
  readonly references: string
  readonly locks: string
}

export function layoutOf(hostCacheDirectory: string): StoreLayout {
  const root = rootOf(hostCacheDirectory)
  return {
    blobs: join(root, 'blobs', 'sha256'),
    partial: join(root, 'partial'),
    references: join(root, 'references'),
    locks: join(root, 'locks'),
  }
}

/** @throws a failure that says why the directory cannot be used, or is not to be trusted. */
export async function prepareStore(hostCacheDirectory: string): Promise<StoreLayout> {
  return prepare(hostCacheDirectory).catch((cause: Error) => {
    throw new PullFailure(`the cache of images in ${hostCacheDirectory} cannot be used: ${cause.message}`, {
      hint: 'Name a directory that belongs to this user alone.',
      cause,
    })
  })
}

async function prepare(hostCacheDirectory: string): Promise<StoreLayout> {
  await mkdir(hostCacheDirectory, { recursive: true, mode: 0o700 })
  await preparePrivateDirectory(rootOf(hostCacheDirectory))
  const layout = layoutOf(hostCacheDirectory)
  for (const hostPath of Object.values(layout)) await mkdir(hostPath, { recursive: true, mode: 0o700 })
  return layout
}

/** Whoever gets a path of a layer may be somewhere else by then. */
function rootOf(hostCacheDirectory: string): string {
  return resolve(hostCacheDirectory, 'oci')
}

export function blobPath({ blobs }: StoreLayout, digest: string): string {
  return join(blobs, hexOf(digest))
}

export function partialPath({ partial }: StoreLayout, digest: string): string {
  return join(partial, hexOf(digest))
}
