/** A guest's file or tree onto the host: whole or not at all, and nowhere but where the caller said. */

import { lstat, readdir } from 'node:fs/promises'
import type { TreeEntry } from '../../agent/index.ts'
import { foreignText } from '../../common/text.ts'
import { FileError } from '../../errors.ts'
import { linkRefusal, type Refusal, Tree } from './confine.ts'
import type { DownloadOptions } from './contract.ts'
import { hostFailure, onHost } from './host-failure.ts'
import { downloadBytesMaxDefault } from './options.ts'
import { Staging } from './staging.ts'

/** A guest's name in a message. */
const nameCharsMax = 256

export interface Download {
  /** As the caller gave it. */
  readonly path: string
  /** Absolute. */
  readonly hostPath: string
  readonly onSkipped: DownloadOptions['onSkipped']
  readonly maxBytes: number | undefined
}

/** Takes a tree, of which nothing is believed, entry by entry. Settles when nothing is left but what it was to make. */
export async function takeTree(entries: AsyncIterable<TreeEntry>, download: Download, signal: AbortSignal): Promise<void> {
  let staging: Staging | undefined
  try {
    const taking = new Taking(download)
    for await (const entry of entries) {
      signal.throwIfAborted()
      if (staging === undefined) {
        await assertRoom(download.hostPath, entry.kind)
        staging = await Staging.beside(download.hostPath)
      }
      await taking.take(entry, staging)
    }
    signal.throwIfAborted()
    if (staging === undefined) throw refused(download.path, '', { errno: 'EIO', reason: 'the guest named nothing' })
    await staging.finish(signal)
  } finally {
    await staging?.remove()
  }
}

class Taking {
  readonly #download: Download
  readonly #tree = new Tree()
  #bytesLeft: number

  constructor(download: Download) {
    this.#download = download
    this.#bytesLeft = download.maxBytes ?? downloadBytesMaxDefault
  }

  async take(entry: TreeEntry, staging: Staging): Promise<void> {
    const { path, hostPath, onSkipped } = this.#download
    const components = this.#tree.announce(entry.path, entry.kind === 'directory' ? 'directory' : 'leaf', entry.target)
    if ('errno' in components) throw refused(path, entry.path, components)
    const refusal = refusalOf(entry, components.length)
    if (refusal !== undefined) {
      if (onSkipped === undefined || components.length === 0) throw refused(path, entry.path, refusal)
      onSkipped({ path: entry.path, reason: refusal.reason })
    } else if (entry.kind === 'directory') await staging.directory(entry)
    else if (entry.kind === 'symlink') staging.link(entry)
    else {
      // Judged by what is claimed before a byte of it comes; no more than that comes.
      if (entry.sizeBytes > this.#bytesLeft) {
        const hint = 'Pass a greater `maxBytes` if the disk of the host has room.'
        const message = `'${path}' was not downloaded: it has more than ${this.#download.maxBytes ?? downloadBytesMaxDefault} bytes.`
        throw new FileError(hostPath, 'EFBIG', message, { hint })
      }
      this.#bytesLeft -= entry.sizeBytes
      await staging.file(entry)
    }
  }
}

/** Why something is left out although its name is in order. */
function refusalOf({ kind, target = '' }: TreeEntry, depth: number): Refusal | undefined {
  if (kind === 'other') return { errno: 'EINVAL', reason: 'neither a file nor a directory nor a symbolic link' }
  if (kind !== 'symlink') return undefined
  return depth === 0 ? { errno: 'EINVAL', reason: 'a symbolic link as the top' } : linkRefusal(depth - 1, target)
}

/** A file may be replaced; a tree replaces nothing. Said before anything is transferred; what happens meanwhile the rename at the end finds out. */
async function assertRoom(hostPath: string, kind: TreeEntry['kind']): Promise<void> {
  const there = await lstat(hostPath).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') return onHost(hostPath, 'downloaded to', Promise.reject(cause))
    return undefined
  })
  if (there === undefined) return
  if (kind !== 'directory') {
    if (there.isDirectory()) throw hostFailure(hostPath, 'downloaded to', 'EISDIR', 'a directory is where a file is to go')
    return
  }
  if (!there.isDirectory()) throw hostFailure(hostPath, 'downloaded to', 'EEXIST', 'something is where a directory is to go')
  if ((await onHost(hostPath, 'downloaded to', readdir(hostPath))).length > 0)
    throw hostFailure(hostPath, 'downloaded to', 'ENOTEMPTY', 'the directory there is not empty')
}

function refused(path: string, name: string, { errno, reason }: Refusal): FileError {
  const what = name === '' ? '' : ` '${foreignText(name, nameCharsMax)}' in it:`
  const skippable = errno === 'EXDEV' || reason.startsWith('neither')
  const hint = skippable ? 'Pass `onSkipped` to leave such things out.' : undefined
  return new FileError(path, errno, `'${path}' was not downloaded:${what} ${reason} (${errno}).`, { hint })
}
