/** A file or tree of the host as it goes into a guest: walked as it is sent, so that its size costs no memory. */

import { constants, type Dirent } from 'node:fs'
import { type FileHandle, lstat, open, opendir, readlink, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { TreeNode } from '../../agent/index.ts'
import type { FileError } from '../../errors.ts'
import { treeDepthMax } from './confine.ts'
import { hostFailure, onHost } from './host-failure.ts'

/** One piece of a file: what one frame of the wire takes. */
const pieceBytes = 65_536

const permissionBits = 0o7777n

/** A link that took a file's place since it was looked at is not followed; a FIFO that did does not hold the opening. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * What is at `hostPath`, a link there followed, and all that is in it, a directory before what is in it. Links below it are given as links.
 *
 * @throws FILE about something of the host: it is not there, not to be read, neither file nor directory nor link (`EINVAL`), or it changes its size meanwhile (`EBUSY`).
 */
export async function* hostTree(hostPath: string): AsyncGenerator<TreeNode> {
  const top = await onHost(hostPath, 'uploaded', stat(hostPath, { bigint: true }))
  if (top.isFile()) yield* fileNode(hostPath, '', false)
  else if (top.isDirectory()) yield* directoryNodes(hostPath, '', 0)
  else throw otherKind(hostPath)
}

async function* directoryNodes(hostPath: string, path: string, depth: number): AsyncGenerator<TreeNode> {
  const { mode, mtimeNs } = await onHost(hostPath, 'uploaded', stat(hostPath, { bigint: true }))
  yield { path, kind: 'directory', sizeBytes: 0, mode: modeOf(mode), modifiedNs: timeOf(mtimeNs) }
  // Each level of the way down holds its directory open, and counts for the guest's paths as well.
  if (depth === treeDepthMax)
    throw hostFailure(hostPath, 'uploaded', 'ENAMETOOLONG', `it lies deeper than ${treeDepthMax} directories`)
  for await (const entry of await onHost(hostPath, 'uploaded', opendir(hostPath))) {
    yield* entryNodes(entry, join(hostPath, entry.name), path === '' ? entry.name : `${path}/${entry.name}`, depth)
  }
}

async function* entryNodes(entry: Dirent, hostPath: string, path: string, depth: number): AsyncGenerator<TreeNode> {
  const facts = await onHost(hostPath, 'uploaded', lstat(hostPath, { bigint: true })).catch((error: FileError) => {
    if (error.errno !== 'ENOENT' || !entry.name.includes('\ufffd')) throw error
    throw hostFailure(hostPath, 'uploaded', 'EILSEQ', 'its name is no UTF-8')
  })
  if (facts.isFile()) yield* fileNode(hostPath, path, true)
  else if (facts.isDirectory()) yield* directoryNodes(hostPath, path, depth + 1)
  else if (facts.isSymbolicLink()) {
    const target = await onHost(hostPath, 'uploaded', readlink(hostPath))
    yield { path, kind: 'symlink', sizeBytes: 0, mode: 0o777, modifiedNs: timeOf(facts.mtimeNs), target }
  } else throw otherKind(hostPath)
}

/** Open from before its size is told until its last byte is taken: what is told is of what is sent. */
async function* fileNode(hostPath: string, path: string, noFollow: boolean): AsyncGenerator<TreeNode> {
  const flags = noFollow ? openFlags : openFlags & ~constants.O_NOFOLLOW
  const handle = await onHost(hostPath, 'uploaded', open(hostPath, flags))
  try {
    const facts = await onHost(hostPath, 'uploaded', handle.stat({ bigint: true }))
    if (!facts.isFile()) throw otherKind(hostPath)
    const sizeBytes = Number(facts.size)
    // The guest has an empty file once it is told of it: what /proc shows only seems to be one.
    if (sizeBytes === 0 && (await onHost(hostPath, 'uploaded', handle.read(Buffer.alloc(1), 0, 1, 0))).bytesRead > 0)
      throw hostFailure(hostPath, 'uploaded', 'EINVAL', 'it has more than the size that is told of it, as files of /proc have')
    const content = contentOf(handle, hostPath, sizeBytes)
    yield { path, kind: 'file', sizeBytes, mode: modeOf(facts.mode), modifiedNs: timeOf(facts.mtimeNs), content }
  } finally {
    await handle.close()
  }
}

/** Exactly as many bytes as were told. */
async function* contentOf(handle: FileHandle, hostPath: string, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let left = sizeBytes; left > 0; ) {
    // A new one for each piece: it is on its way when the next is read.
    const buffer = Buffer.allocUnsafeSlow(Math.min(pieceBytes, left))
    const { bytesRead } = await onHost(hostPath, 'uploaded', handle.read(buffer, 0, buffer.length))
    if (bytesRead === 0) throw changed(hostPath)
    left -= bytesRead
    yield buffer.subarray(0, bytesRead)
  }
  const { size } = await onHost(hostPath, 'uploaded', handle.stat({ bigint: true }))
  if (size !== BigInt(sizeBytes)) throw changed(hostPath)
}

function modeOf(mode: bigint): number {
  return Number(mode & permissionBits)
}

/** The wire knows no time before 1970. */
function timeOf(ns: bigint): bigint {
  return ns < 0n ? 0n : ns
}

function otherKind(hostPath: string): FileError {
  return hostFailure(hostPath, 'uploaded', 'EINVAL', 'it is neither a file nor a directory nor a symbolic link')
}

function changed(hostPath: string): FileError {
  return hostFailure(hostPath, 'uploaded', 'EBUSY', 'it changed its size while it was being sent')
}
