/** The conversation about files: protocol.md, chapter 3.3. */

import { type CallOptions, withDeadline } from '../../common/deadline.ts'
import type { Exchange } from '../exchange.ts'
import type { GuestMessage, HostMessage } from '../messages.ts'
import { fileFailure, type Place, tooMuch } from './failure.ts'
import type { Source } from './sending.ts'
import { FileTalk } from './talk.ts'
import { decodeTree, type Entry, encodeTree, placedEntryOf, type TreeEntry, type TreeNode } from './tree.ts'

/** How a place is meant, beside its path: see `Place`. */
export type PlaceOptions = Omit<Place, 'path'> & CallOptions

/** How a file is written. */
export interface WriteOptions extends PlaceOptions {
  /** Permission bits. Default: those of the file that is there, or 0644. */
  mode?: number
  /** To the end of the file that is there, as the data comes. */
  append?: boolean
}

/** A file of the guest that is being read. */
export interface OpenFile {
  /** As the guest said it when it opened the file: not to be relied on. */
  readonly sizeBytes: number
  /** The next bytes; undefined at the end. */
  next(): Promise<Uint8Array | undefined>
  /** The rest is not wanted. */
  close(): void
}

/** A watch that is on. */
export interface OpenWatch {
  /** The next change; undefined when what was watched is gone. */
  next(): Promise<Extract<GuestMessage, { type: 'Changed' }> | undefined>
  close(): void
}

/** What is kept of a listing at most: a guest has no bounds of its own. */
const listEntriesMax = 100_000
const listCharactersMax = 67_108_864

/**
 * The files of one guest. The guest resolves every path, inside the tenant's root.
 *
 * Every call throws FILE (a FileError) with the guest's errno; INVALID_ARGUMENT before anything is sent; GUEST_UNREACHABLE; PROTOCOL; TIMEOUT, or the signal's reason.
 */
export class GuestFiles {
  readonly #talk: FileTalk

  constructor(exchange: Exchange) {
    this.#talk = new FileTalk(exchange)
  }

  /**
   * Writes a whole file, with its missing parents; it appears at once or not at all. Data, and each piece of a source, must not change until the call settles. A source that
   * fails leaves nothing in the guest, and its own error is thrown; one that is not wanted any more is let go at once.
   */
  async write(path: string, data: Uint8Array | Source, options: WriteOptions): Promise<void> {
    const { mode, user, append } = options
    const opening: HostMessage = {
      type: 'WriteFile',
      path,
      user,
      append: append ? 1 : 0,
      ...(mode !== undefined && { mode }),
    }
    await this.#talk.send({ path, ...options }, 'written', opening, data instanceof Uint8Array ? once(data) : data, options)
  }

  /** Writes a tree, in the order of its nodes. What was made before a failure stays. */
  async writeTree(path: string, nodes: AsyncIterable<TreeNode>, options: PlaceOptions): Promise<void> {
    await this.#talk.send(
      { path, ...options },
      'uploaded',
      { type: 'WriteTree', path, user: options.user },
      encodeTree(nodes),
      options,
    )
  }

  /** Opens a file. The options end the opening; what is open then has to be read to its end, or closed. */
  async read(path: string, options: PlaceOptions): Promise<OpenFile> {
    const place = { path, ...options }
    return withDeadline(`The reading of '${path}' in the guest`, options, async (signal) => {
      const { stream, incoming } = await this.#talk.open(
        place,
        'read',
        'reads',
        { type: 'ReadFile', path, user: place.user },
        signal,
      )
      stream.end()
      const answer = await this.#talk.answer(stream, incoming, place, 'read')
      if (answer.type !== 'Reading') throw this.#talk.broken(`${answer.type} in answer to ReadFile`)
      return { sizeBytes: answer.sizeBytes, next: () => incoming.chunk(), close: () => stream.reset() }
    })
  }

  /** A file or directory with all that is in it, in the guest's order and the guest's words: nothing of it is to be believed. Leaving the loop ends it. */
  async *readTree(path: string, options: Omit<Place, 'path'>, signal: AbortSignal): AsyncGenerator<TreeEntry> {
    const place = { path, ...options }
    const opening: HostMessage = { type: 'ReadTree', path, user: place.user }
    const { stream, incoming } = await this.#talk.open(place, 'downloaded', 'reads', opening, signal)
    try {
      stream.end()
      const first = await this.#talk.answer(stream, incoming, place, 'downloaded')
      yield* decodeTree(this.#talk.exchange, incoming, first)
    } finally {
      if (!stream.readableEnded) stream.reset()
    }
  }

  async stat(path: string, options: PlaceOptions): Promise<Entry> {
    const answer = await this.#talk.request(
      { path, ...options },
      'looked at',
      { type: 'Stat', path, user: options.user },
      options,
    )
    if (answer.type !== 'Entry') throw this.#talk.broken(`${answer.type} in answer to Stat`)
    return placedEntryOf(this.#talk.exchange, answer)
  }

  /** What is in a directory, in any order. @throws also FILE with EOVERFLOW for more than is kept. */
  async list(path: string, options: PlaceOptions & { depth: number }): Promise<Entry[]> {
    const place = { path, ...options }
    const { user, depth } = options
    return withDeadline(`The listing of '${path}' in the guest`, options, async (signal) => {
      const { stream, incoming } = await this.#talk.open(place, 'listed', 'reads', { type: 'List', path, user, depth }, signal)
      stream.end()
      const entries: Entry[] = []
      let characters = 0
      for (let message = await incoming.message(); message !== undefined; message = await incoming.message()) {
        if (message.type === 'Failed' && entries.length === 0)
          throw this.#talk.refused(stream, fileFailure(place, 'listed', message))
        if (message.type !== 'Entry') throw this.#talk.broken(`${message.type} in a listing`)
        characters += message.path.length + message.owner.length + (message.target?.length ?? 0)
        if (entries.length === listEntriesMax || characters > listCharactersMax) {
          const hint = 'List its directories one by one, or have the guest make a list in a file.'
          throw this.#talk.refused(
            stream,
            tooMuch(place, 'listed', `it holds more than ${listEntriesMax} entries or 64 MiB of names`, hint),
          )
        }
        entries.push(placedEntryOf(this.#talk.exchange, message))
      }
      return entries
    })
  }

  async makeDirectory(path: string, options: PlaceOptions): Promise<void> {
    await this.#talk.done({ path, ...options }, 'made', { type: 'MakeDirectory', path, user: options.user }, options)
  }

  async rename(path: string, to: string, options: PlaceOptions): Promise<void> {
    await this.#talk.done({ path, ...options }, 'renamed', { type: 'Rename', from: path, to, user: options.user }, options)
  }

  async remove(path: string, options: PlaceOptions & { recursive: boolean }): Promise<void> {
    const recursive = options.recursive ? 1 : 0
    await this.#talk.done({ path, ...options }, 'removed', { type: 'Remove', path, user: options.user, recursive }, options)
  }

  /** Watches from when this resolves until it is closed. The options end only the beginning. */
  async watch(path: string, options: PlaceOptions & { recursive: boolean }): Promise<OpenWatch> {
    const place = { path, ...options }
    const recursive = options.recursive ? 1 : 0
    const opening: HostMessage = { type: 'Watch', path, user: options.user, recursive }
    return withDeadline(`The watch of '${path}' in the guest`, options, async (signal) => {
      const { stream, incoming } = await this.#talk.open(place, 'watched', 'watches', opening, signal)
      const answer = await this.#talk.answer(stream, incoming, place, 'watched')
      if (answer.type !== 'Done') throw this.#talk.broken(`${answer.type} in answer to Watch`)
      const next = async (): ReturnType<OpenWatch['next']> => {
        const message = await incoming.message()
        if (message === undefined) stream.end()
        else if (message.type !== 'Changed') throw this.#talk.broken(`${message.type} from a watch`)
        return message
      }
      return { next, close: () => stream.reset() }
    })
  }
}

async function* once(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}
