/** What a file holds, as a digest; and whether it may have been touched since. */

import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { open, stat } from 'node:fs/promises'

/** Read and hashed at once, in bytes: 0.7 ms of the event loop, and as fast as larger pieces (1.5 GB/s where the processor has SHA instructions). */
const pieceBytes = 1_048_576

/** The SHA-256 of a file, in hex, as sha256sum(1) prints it. */
export async function digestFile(hostPath: string, signal?: AbortSignal): Promise<string> {
  const digest = createHash('sha256')
  const piece = Buffer.allocUnsafe(pieceBytes)
  const file = await open(hostPath, 'r')
  try {
    for (;;) {
      signal?.throwIfAborted()
      const { bytesRead } = await file.read(piece, 0, pieceBytes, null)
      if (bytesRead === 0) return digest.digest('hex')
      digest.update(piece.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}

/** Changes with every write and with every replacement of the file: the kernel sets the time of the last change, and nobody else can. */
export function fingerprint({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':')
}

/** Digests of this process's life, by path. */
const known = new Map<string, { fingerprint: string; digest: string }>()

/** The digest of a file that is asked for again and again: it is read anew only when it has been touched. */
export async function knownDigest(hostPath: string, signal?: AbortSignal): Promise<string> {
  const now = fingerprint(await stat(hostPath, { bigint: true }))
  const before = known.get(hostPath)
  if (before?.fingerprint === now) return before.digest
  const digest = await digestFile(hostPath, signal)
  known.set(hostPath, { fingerprint: now, digest })
  return digest
}
