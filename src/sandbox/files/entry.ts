/** What a guest says of its files, as the caller sees it. */

import { posix } from 'node:path'
import type { GuestEntry } from '../../agent/index.ts'
import type { FileEntry } from './contract.ts'

const nsPerMs = 1_000_000n

export function fileEntry({ path, kind, sizeBytes, mode, owner, modifiedNs, target }: GuestEntry): FileEntry {
  return {
    name: path === '/' ? '/' : posix.basename(path),
    path,
    type: kind,
    size: sizeBytes,
    mode,
    owner,
    modifiedAt: new Date(Number(modifiedNs / nsPerMs)),
    ...(target !== undefined && { symlinkTarget: target }),
  }
}

/** By path, in the order of its bytes as far as one character of UTF-16 tells. */
export function byPath(one: FileEntry, other: FileEntry): number {
  if (one.path === other.path) return 0
  return one.path < other.path ? -1 : 1
}
