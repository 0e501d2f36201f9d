/** What the file systems of this host have to say: whether one is memory, how much it still takes, what a file takes of it, and when it is safe there. */

import { open, statfs } from 'node:fs/promises'
import { availableMemoryMib } from './memory.ts'

/** TMPFS_MAGIC (include/uapi/linux/magic.h). */
const tmpfsMagic = 0x01021994

export interface FileSystem {
  readonly isTmpfs: boolean
  /** What an unprivileged user can still put there; for tmpfs no more than the host has memory to give. */
  readonly freeMib: number
}

/** What a file takes, holes left out: `st_blocks` counts in units of 512 bytes, whatever the file system's own blocks are (stat(2)). */
export function allocatedBytes({ blocks }: { readonly blocks: number }): number {
  return blocks * 512
}

export async function fileSystemOf(hostPath: string): Promise<FileSystem> {
  const { type, bavail, bsize } = await statfs(hostPath)
  const isTmpfs = type === tmpfsMagic
  const freeMib = Math.floor((bavail * bsize) / 1_048_576)
  return { isTmpfs, freeMib: isTmpfs ? Math.min(freeMib, availableMemoryMib()) : freeMib }
}

/** Resolves when what a file holds, or which names a directory has, survives a power cut. */
export async function syncToDisk(hostPath: string): Promise<void> {
  const file = await open(hostPath, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
