/** The data of a write, whatever it comes as, in one shape that can be let go at any moment. */

import { Readable } from 'node:stream'
import { WarmcellError } from '../../errors.ts'
import type { FileData } from './contract.ts'

/** Pieces of bytes, taken one at a time. */
export interface ByteSource extends AsyncIterable<Uint8Array> {
  /** Nothing more is wanted. Does not wait for a source that is asleep. */
  release(): void
}

/** Whole data as bytes; anything else as a source. */
export function sourceOf(data: FileData): Uint8Array | ByteSource {
  if (typeof data === 'string') return Buffer.from(data)
  if (data instanceof Uint8Array) return data
  return data instanceof ReadableStream ? fromWebStream(data) : fromIterable(data)
}

/** Read by a reader of its own: the iterator of a web stream would cancel only after the piece that it waits for. */
function fromWebStream(stream: ReadableStream<Uint8Array>): ByteSource {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  return byteSource({
    next: async () => {
      reader ??= stream.getReader()
      const { done, value } = await reader.read()
      return done ? { done: true, value: undefined } : { done: false, value }
    },
    // One that is locked belongs to somebody else.
    release: async () => {
      if (reader !== undefined) await reader.cancel()
      else if (!stream.locked) await stream.cancel()
    },
  })
}

function fromIterable(data: AsyncIterable<string | Uint8Array>): ByteSource {
  let iterator: AsyncIterator<string | Uint8Array> | undefined
  return byteSource({
    next: async () => {
      iterator ??= data[Symbol.asyncIterator]()
      return iterator.next()
    },
    release: async () => {
      // Its iterator would be let go only with the piece that it waits for.
      if (data instanceof Readable) data.destroy()
      else await iterator?.return?.()
    },
  })
}

interface Pieces {
  next(): Promise<IteratorResult<unknown>>
  release(): Promise<unknown>
}

function byteSource({ next, release }: Pieces): ByteSource {
  let over = false
  const letGo = (): void => {
    if (over) return
    over = true
    // What a source says when nobody listens any more is nobody's business.
    release().catch(() => {})
  }
  const iterator: AsyncIterator<Uint8Array> = {
    next: async () => {
      if (over) return { done: true, value: undefined }
      try {
        const piece = await next()
        if (piece.done !== true) return { done: false, value: bytesOf(piece.value) }
        over = true
        return { done: true, value: undefined }
      } catch (error) {
        if (!(error instanceof PieceError)) over = true // it has failed, and ended with that
        throw error
      }
    },
    return: async () => {
      letGo()
      return { done: true, value: undefined }
    },
  }
  return { release: letGo, [Symbol.asyncIterator]: () => iterator }
}

class PieceError extends WarmcellError {}

function bytesOf(piece: unknown): Uint8Array {
  if (typeof piece === 'string') return Buffer.from(piece)
  if (piece instanceof Uint8Array) return piece
  throw new PieceError('INVALID_ARGUMENT', 'files.write: its data is not valid: expected pieces that are strings or Uint8Arrays.')
}
