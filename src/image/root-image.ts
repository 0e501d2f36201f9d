/** A root file system that a user brings as a disk image: which format it has, read from its superblock. */

import { open } from 'node:fs/promises'
import { WarmcellError } from '../errors.ts'

/** What the guest can mount as its root. */
export type RootFormat = 'erofs' | 'ext4' | 'squashfs'

/** Where each format keeps its magic number, little-endian (include/uapi/linux/magic.h, fs/ext4/ext4.h); squashfs begins with its own. */
const magics: readonly { format: RootFormat; offset: number; bytes: readonly number[] }[] = [
  { format: 'erofs', offset: 1024, bytes: [0xe2, 0xe1, 0xf5, 0xe0] },
  { format: 'ext4', offset: 1024 + 56, bytes: [0x53, 0xef] },
  { format: 'squashfs', offset: 0, bytes: [0x68, 0x73, 0x71, 0x73] },
]

/** @throws `IMAGE` when the file cannot be read or is none of these. */
export async function rootFormatOf(hostPath: string): Promise<RootFormat> {
  const head = Buffer.alloc(2048)
  try {
    const file = await open(hostPath, 'r')
    try {
      await file.read(head, 0, head.length, 0)
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw new WarmcellError('IMAGE', `The disk image ${hostPath} cannot be read: ${(cause as Error).message}.`, { cause })
  }
  const found = magics.find(({ offset, bytes }) => bytes.every((byte, index) => head[offset + index] === byte))
  if (found === undefined) {
    throw new WarmcellError('IMAGE', `The disk image ${hostPath} is neither erofs nor ext4 nor squashfs.`, {
      hint: 'Make one of a directory with `mkfs.erofs IMAGE DIRECTORY`, without a partition table.',
    })
  }
  return found.format
}
