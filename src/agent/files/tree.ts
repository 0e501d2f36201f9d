/** A tree of files as it goes over a stream: an entry after the other, behind each file its bytes. */

import { posix } from 'node:path'
import { encodeMessage } from '../codec.ts'
import type { Exchange } from '../exchange.ts'
import type { FileFacts, GuestMessage } from '../messages.ts'
import type { Incoming } from './incoming.ts'

/** The kinds of protocol.md, by number. */
const kinds = ['file', 'directory', 'symlink', 'other'] as const
type Kind = (typeof kinds)[number]

/** What is said of something in the guest's file system. */
export interface Entry extends Omit<FileFacts, 'kind'> {
  readonly kind: Kind
  readonly owner: string
}

/** Something that goes into a guest. */
export interface TreeNode extends Omit<FileFacts, 'kind'> {
  readonly kind: 'file' | 'directory' | 'symlink'
  /** Of a file: exactly `sizeBytes` bytes, or an error. */
  readonly content?: AsyncIterable<Uint8Array>
}

/** Something that comes out of a guest. */
export interface TreeEntry extends Entry {
  /** Of a file: exactly `sizeBytes` bytes, or an error. To be taken before the next entry; what is not taken is skipped. */
  readonly content: AsyncIterable<Uint8Array>
}

function entryOf(message: Extract<GuestMessage, { type: 'Entry' }>): Entry {
  const { type: _, kind, ...facts } = message
  return { ...facts, kind: kinds[kind - 1] ?? 'other' }
}

/**
 * An entry of the whole file system, by its absolute path.
 *
 * @throws PROTOCOL for a path that no directory can hold: a caller may join the last part of it to a path of its own, and must not be led elsewhere.
 */
export function placedEntryOf(exchange: Exchange, message: Extract<GuestMessage, { type: 'Entry' }>): Entry {
  const { path } = message
  const plain = posix.isAbsolute(path) && !path.includes('\0') && posix.normalize(path) === path
  if (!plain || (path.endsWith('/') && path !== '/')) throw exchange.broken('an entry whose path is none')
  return entryOf(message)
}

/** The bytes that say a tree. */
export async function* encodeTree(nodes: AsyncIterable<TreeNode>): AsyncGenerator<Uint8Array> {
  for await (const { content, kind, ...facts } of nodes) {
    yield encodeMessage({ type: 'Node', ...facts, kind: kinds.indexOf(kind) + 1 })
    if (content !== undefined) yield* content
  }
}

/** The tree that bytes say, from its first message on. */
export async function* decodeTree(
  exchange: Exchange,
  incoming: Incoming,
  first: GuestMessage | undefined,
): AsyncGenerator<TreeEntry> {
  for (let message = first; message !== undefined; message = await incoming.message()) {
    if (message.type !== 'Entry') throw exchange.broken(`${message.type} in a tree`)
    const entry = entryOf(message)
    const content = incoming.bytes(entry.kind === 'file' ? entry.sizeBytes : 0)
    yield { ...entry, content }
    for await (const _ of content); // what nobody took
  }
}
