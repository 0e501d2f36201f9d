/** Files of this host that are an image, or part of one: they may be anything, and are read only as files. */

import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { badImage, PullFailure } from '../failure.ts'
import type { OpenedBlob, WantedBlob } from './contract.ts'

/** Read at once, in bytes. */
const pieceBytes = 256 * 1024

/** @throws a failure that names the file. */
export async function openHostFile(hostPath: string): Promise<{ file: FileHandle; sizeBytes: number }> {
  let file: FileHandle | undefined
  try {
    // Without O_NONBLOCK a FIFO would never be open.
    file = await open(hostPath, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = await file.stat()
    if (!stat.isFile()) throw new Error('it is not a file')
    return { file, sizeBytes: stat.size }
  } catch (cause) {
    await file?.close()
    throw new PullFailure(`${hostPath} cannot be read: ${(cause as Error).message}`, {
      hint: 'Look at the path, and whether this user may read it.',
      cause,
    })
  }
}

/** All of it. @throws a failure when it has more bytes than that. */
export async function readHostFile(hostPath: string, bytesMax: number): Promise<Buffer> {
  const { file, sizeBytes } = await openHostFile(hostPath)
  try {
    if (sizeBytes > bytesMax) throw tooLarge(hostPath, bytesMax)
    return await readRange(file, 0, sizeBytes)
  } finally {
    await file.close()
  }
}

/** So many bytes from there on; fewer where the file ends before. */
export async function readRange(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled)
    if (bytesRead === 0) return bytes.subarray(0, filled)
    filled += bytesRead
  }
  return bytes
}

export async function* piecesOf(file: FileHandle, from: number, to: number, bytes: number = pieceBytes): AsyncGenerator<Buffer> {
  for (let position = from; position < to; ) {
    const piece = await readRange(file, position, Math.min(bytes, to - position))
    if (piece.length === 0) return
    position += piece.length
    yield piece
  }
}

/** A blob that is a part of a file. Nobody else can be asked for it, and asking again would give the same. */
export function openedRange(
  file: FileHandle,
  { from, to }: { from: number; to: number },
  { digest, size }: WantedBlob,
  offset: number,
  close: () => Promise<void> = async () => {},
): OpenedBlob {
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      if (to - from !== size) throw badImage(`${digest} has ${to - from} bytes there, and should have ${size}`)
      yield* piecesOf(file, from + offset, to)
    } finally {
      await close()
    }
  }
  return { offset, body: body(), discredit: () => false }
}

function tooLarge(hostPath: string, bytesMax: number): PullFailure {
  return new PullFailure(`${hostPath} has more than ${bytesMax} bytes`, { hint: 'Look whether it is what it should be.' })
}
