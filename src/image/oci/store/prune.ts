/** Removing from the cache of images what nobody has used for long, and what processes that have ended left half-done. */

import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { abortSignal, assertValid, durationMs, plainText } from '../../../common/validate.ts'
import { type Leftover, leftIn, namesIn, ownerInPart, removeFile, ticketsLeft, withLock } from '../../../host/index.ts'
import { layoutOf, type StoreLayout } from './layout.ts'
import { ignoreAbsent } from './store.ts'

export interface PruneBlobsOptions {
  /** As it was given to `pullImage`. */
  cacheDirectory: string
  /** Also what no pull has used for so many milliseconds. */
  unusedForMs?: number
  /** Everything that is not under way just now. Default false. */
  all?: boolean
  signal?: AbortSignal
}

/** What was removed. */
export interface PrunedBlobs {
  /** Digests of whole blobs: manifests, configurations and layers. */
  readonly blobs: readonly string[]
  /** Of them and of those half-done, in bytes. */
  readonly freedBytes: number
}

const optionsSchema = z.strictObject({
  cacheDirectory: plainText,
  unusedForMs: durationMs.optional(),
  all: z.boolean({ error: 'expected true or false' }).optional(),
  signal: abortSignal.optional(),
})

/**
 * Nothing is removed that is being downloaded. An image whose blobs were removed is pulled anew when it is next wanted.
 *
 * @throws `INVALID_ARGUMENT`; what the file system says; the signal's reason.
 */
export async function pruneBlobs(options: PruneBlobsOptions): Promise<PrunedBlobs> {
  assertValid(optionsSchema, options, 'pruneBlobs')
  const { cacheDirectory, unusedForMs = Number.POSITIVE_INFINITY, all = false, signal } = options
  const layout = layoutOf(cacheDirectory)
  const olderThan = all ? Number.POSITIVE_INFINITY : Date.now() - unusedForMs
  const blobs: string[] = []
  let freedBytes = 0
  for (const { directory, before } of [
    { directory: layout.partial, before: Number.POSITIVE_INFINITY },
    { directory: layout.blobs, before: olderThan },
  ]) {
    for (const hex of (await namesIn(directory)).filter((name) => /^[0-9a-f]{64}$/.test(name))) {
      signal?.throwIfAborted()
      const removedBytes = await removeIdle(layout, join(directory, hex), hex, before)
      freedBytes += removedBytes ?? 0
      if (removedBytes !== undefined && directory === layout.blobs) blobs.push(`sha256:${hex}`)
    }
  }
  for (const name of await namesIn(layout.references)) {
    const hostPath = join(layout.references, name)
    if (/^[0-9a-f]{64}$/.test(name) && (await isOlder(hostPath, olderThan))) await rm(hostPath, { force: true })
  }
  for (const left of await storeLeft(cacheDirectory)) await left.remove()
  return { blobs, freedBytes }
}

/** Under its lock, and only if that is free. Returns how many bytes it had; undefined when it stays. */
async function removeIdle(layout: StoreLayout, hostPath: string, hex: string, olderThan: number): Promise<number | undefined> {
  const busy = new AbortController()
  try {
    return await withLock(layout.locks, hex, { signal: busy.signal, onWait: () => busy.abort() }, async () => {
      const found = await stat(hostPath).catch(ignoreAbsent)
      if (found === undefined || found.mtimeMs >= olderThan) return undefined
      await rm(hostPath, { force: true })
      return found.size
    })
  } catch (error) {
    if (busy.signal.aborted) return undefined
    throw error
  }
}

async function isOlder(hostPath: string, olderThan: number): Promise<boolean> {
  const found = await stat(hostPath).catch(ignoreAbsent)
  return found !== undefined && found.mtimeMs < olderThan
}

/** Records of tags that a process was writing when it ended. */
/** Places in line for a blob, and half-written files, whose owners are dead. What they have downloaded is there for others to go on with. */
export async function storeLeft(cacheDirectory: string): Promise<Leftover[]> {
  const { locks, references } = layoutOf(cacheDirectory)
  const halfWritten = leftIn(references, { kind: 'file', parse: (name) => ownerInPart(name, 1), remove: removeFile })
  return [...(await ticketsLeft(locks)), ...(await halfWritten)]
}
