/** A blob on its way: what has come of it so far, in a file that outlives whoever writes it. */

import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncToDisk } from '../../../host/index.ts'
import { piecesOf } from '../source/host-file.ts'

/** Of the user alone to read; whole ones are for nobody to write. */
const modes = { partial: 0o600, whole: 0o444 } as const

export class PartialBlob {
  readonly #hostPath: string
  readonly #file: FileHandle
  #hash: Hash = createHash('sha256')
  #sizeBytes = 0

  private constructor(hostPath: string, file: FileHandle) {
    this.#hostPath = hostPath
    this.#file = file
  }

  /** What an earlier process has left is gone on with, unless it is more than there can be. */
  static async open(hostPath: string, sizeBytesMax: number, signal: AbortSignal): Promise<PartialBlob> {
    const file = await open(hostPath, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, modes.partial)
    const blob = new PartialBlob(hostPath, file)
    try {
      const { size } = await file.stat()
      if (size > sizeBytesMax) await blob.restart()
      else await blob.#takeOver(size, signal)
      return blob
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  async append(piece: Uint8Array): Promise<void> {
    for (let written = 0; written < piece.length; ) {
      const { bytesWritten } = await this.#file.write(piece, written, piece.length - written, this.#sizeBytes + written)
      written += bytesWritten
    }
    this.#hash.update(piece)
    this.#sizeBytes += piece.length
  }

  async restart(): Promise<void> {
    await this.#file.truncate(0)
    this.#hash = createHash('sha256')
    this.#sizeBytes = 0
  }

  /** Of what has come so far. */
  digest(): string {
    return `sha256:${this.#hash.copy().digest('hex')}`
  }

  /** Everything is on the disk before it has its name, so that a power cut leaves all of it or none. */
  async publish(hostPath: string): Promise<void> {
    await this.#file.chmod(modes.whole)
    await this.#file.sync()
    await rename(this.#hostPath, hostPath)
    await syncToDisk(dirname(hostPath))
  }

  async remove(): Promise<void> {
    await rm(this.#hostPath, { force: true })
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async #takeOver(sizeBytes: number, signal: AbortSignal): Promise<void> {
    for await (const piece of piecesOf(this.#file, 0, sizeBytes)) {
      signal.throwIfAborted()
      this.#hash.update(piece)
      this.#sizeBytes += piece.length
    }
  }
}
