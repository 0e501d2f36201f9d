/** The blobs that are on this host: each once, whichever images and processes want it. */

import { readFile, rm, stat, utimes } from 'node:fs/promises'
import PQueue from 'p-queue'
import { digestFile, withLock } from '../../../host/index.ts'
import { digestOf, hexOf } from '../digest.ts'
import { badImage } from '../failure.ts'
import type { ImageSource, WantedBlob } from '../source/contract.ts'
import { type DownloadOptions, download } from './download.ts'
import { blobPath, partialPath, prepareStore, type StoreLayout } from './layout.ts'
import { PartialBlob } from './partial.ts'

/** At once, of all images of this process: as Docker does; more gain little, and registries count them. */
const transfersMax = 3

const transfers = new PQueue({ concurrency: transfersMax })

export class BlobStore {
  readonly layout: StoreLayout

  private constructor(layout: StoreLayout) {
    this.layout = layout
  }

  static async open(hostCacheDirectory: string): Promise<BlobStore> {
    return new BlobStore(await prepareStore(hostCacheDirectory))
  }

  hostPath(digest: string): string {
    return blobPath(this.layout, digest)
  }

  /**
   * Whether it is here, by its name and size: it got its name only when it had been verified, nobody may write to it, and whoever unpacks a layer proves by its diff id what it read.
   * One of another size is looked at: if it is damaged it is removed, and otherwise whoever says so is wrong.
   *
   * @throws a failure when the size is not that of the blob of this digest
   */
  async has({ digest, size }: { digest: string; size: number }): Promise<boolean> {
    const found = await stat(this.hostPath(digest)).catch(ignoreAbsent)
    if (found === undefined) return false
    if (found.size === size) return true
    if ((await digestFile(this.hostPath(digest))) === hexOf(digest)) throw badImage(`it gives ${digest} another size than it has`)
    await rm(this.hostPath(digest), { force: true })
    return false
  }

  /** Says that it is in use, to those who prune. Returns false when it is not there. */
  async touch(digest: string): Promise<boolean> {
    const now = new Date()
    return utimes(this.hostPath(digest), now, now).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return false
        throw error
      },
    )
  }

  /** A small one, and what it should be: looked at each time, for all else depends on it. Undefined when it is not here, too large to be one, or damaged; then it is removed. */
  async read(digest: string, bytesMax: number): Promise<Uint8Array | undefined> {
    const found = await stat(this.hostPath(digest)).catch(ignoreAbsent)
    if (found === undefined || found.size > bytesMax) return undefined
    const bytes = await readFile(this.hostPath(digest)).catch(ignoreAbsent)
    if (bytes !== undefined && digestOf(bytes) === digest) return bytes
    await rm(this.hostPath(digest), { force: true })
    return undefined
  }

  /** Keeps what is here already. Returns its digest. */
  async put(bytes: Uint8Array, signal: AbortSignal): Promise<string> {
    const digest = digestOf(bytes)
    if (await this.has({ digest, size: bytes.length })) return digest
    await this.#alone(digest, signal, async () => {
      if (await this.has({ digest, size: bytes.length })) return
      const partial = await PartialBlob.open(partialPath(this.layout, digest), 0, signal)
      try {
        await partial.append(bytes)
        await partial.publish(this.hostPath(digest))
      } finally {
        await partial.close()
      }
    })
    return digest
  }

  /**
   * Brings it here, unless it is. Of several that want it, in this process and others, one does, and the others wait; when it fails the next goes on where it ended,
   * with its own source and its own credentials.
   */
  async fetch(blob: WantedBlob, source: ImageSource, options: DownloadOptions): Promise<void> {
    if (await this.has(blob)) return
    const { digest } = blob
    // The lock before the turn: who has a turn never waits for a lock, so turns always end.
    await this.#alone(digest, options.signal, async () => {
      if (await this.has(blob)) return
      const places = { from: partialPath(this.layout, digest), to: this.hostPath(digest) }
      await transfers.add(() => download(blob, source, places, options), { signal: options.signal })
    })
  }

  async #alone(digest: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    await withLock(this.layout.locks, hexOf(digest), { signal }, work)
  }
}

export function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
