/** The file system that a directory lies on: whether it is memory, and how much it still takes. */

import { statfs } from 'node:fs/promises'
import { availableMemoryMib } from './memory.ts'

/** TMPFS_MAGIC (include/uapi/linux/magic.h). */
const tmpfsMagic = 0x01021994

export interface FileSystem {
  readonly isTmpfs: boolean
  /** What an unprivileged user can still put there; for tmpfs no more than the host has memory to give. */
  readonly freeMib: number
}

export async function fileSystemOf(hostPath: string): Promise<FileSystem> {
  const { type, bavail, bsize } = await statfs(hostPath)
  const isTmpfs = type === tmpfsMagic
  const freeMib = Math.floor((bavail * bsize) / 1_048_576)
  return { isTmpfs, freeMib: isTmpfs ? Math.min(freeMib, availableMemoryMib()) : freeMib }
}
