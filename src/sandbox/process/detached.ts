/** What a process prints once it has been let go of: kept within a bound while nobody reads, handed on at the reader's pace while somebody does. */

import { type Deferred, deferred } from '../../common/deferred.ts'
import type { OutputChunk } from './contract.ts'
import { type OutputSink, type OutputStream, outputStreams } from './output.ts'

/** How much of both streams together is kept for whoever reads again, in bytes: as much as a stream may have waiting unread. */
const backlogBytesMax = 262_144

/** What a piece costs besides its bytes: a process that prints one byte here and one there must not cost a hundred times its output. */
const pieceCostBytes = 128

/** Pieces grow up to this size while the stream stays the same. */
const pieceBytesMax = 16_384

/** A run of bytes of one stream; `data` may have room for more behind `used`. */
interface Piece {
  readonly stream: OutputStream
  readonly data: Buffer
  used: number
}

/** Somebody who reads some of the streams. */
export interface DetachedReader {
  /** The next piece; undefined at the end, and for one who was dismissed. @throws why the process was lost */
  next(): Promise<OutputChunk | undefined>
  /** Reads no more: from now on nothing is held back for this one. */
  leave(): void
}

interface Reading {
  readonly streams: ReadonlySet<OutputStream>
  left: boolean
}

export class DetachedOutput {
  /** Resolves when both streams have ended, in order or not. */
  readonly ended: Promise<void>
  readonly #ended: Deferred<void> = deferred()
  readonly #open = new Set<OutputStream>(outputStreams)
  readonly #readings = new Set<Reading>()
  readonly #streams = new Map<OutputStream, ReadableStream<Uint8Array>>()
  readonly #pieces: Piece[] = []
  #cost = 0
  #missedBytes = 0
  #failure: { error: unknown } | undefined
  #changed: Deferred<void> = deferred()

  constructor() {
    this.ended = this.#ended.promise
  }

  /** How many bytes nobody has read and nobody will: older ones than are kept. */
  get missedBytes(): number {
    return this.#missedBytes
  }

  /** Where one of the process's streams goes. */
  sink(stream: OutputStream): OutputSink {
    return {
      push: (data) => this.#push(stream, data),
      room: () => (this.#isHeldBack(stream) ? this.#room(stream) : undefined),
      end: (failure) => this.#end(stream, failure),
    }
  }

  /** Begins with what is kept. Until it leaves, its slowness holds the process back, as a pipe's reader does. */
  read(streams: readonly OutputStream[]): DetachedReader {
    const reading: Reading = { streams: new Set(streams), left: false }
    this.#readings.add(reading)
    return {
      next: () => this.#next(reading),
      leave: () => this.#leave(reading),
    }
  }

  /** One stream as a web stream: a new one each time that one has been cancelled or dismissed. It reads once it is read. */
  stream(stream: OutputStream): ReadableStream<Uint8Array> {
    const known = this.#streams.get(stream)
    if (known !== undefined) return known
    let reader: DetachedReader | undefined
    const made = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          reader ??= this.read([stream])
          const chunk = await reader.next()
          if (chunk !== undefined) controller.enqueue(chunk.data)
          else {
            this.#streams.delete(stream)
            controller.close()
          }
        },
        cancel: () => {
          this.#streams.delete(stream)
          reader?.leave()
        },
      },
      { highWaterMark: 0 },
    )
    this.#streams.set(stream, made)
    return made
  }

  /** Everybody who reads has come to the end, as far as they can see. */
  dismiss(): void {
    for (const reading of this.#readings) this.#leave(reading)
  }

  async #next(reading: Reading): Promise<OutputChunk | undefined> {
    while (!reading.left) {
      const piece = this.#take(reading.streams)
      if (piece !== undefined) return { stream: piece.stream, data: piece.data.subarray(0, piece.used) }
      if (this.#failure !== undefined) throw this.#failure.error
      if ([...reading.streams].every((stream) => !this.#open.has(stream))) break
      await this.#changed.promise
    }
    return undefined
  }

  #leave(reading: Reading): void {
    reading.left = true
    this.#readings.delete(reading)
    this.#announce()
  }

  #push(stream: OutputStream, data: Uint8Array): void {
    const last = this.#pieces.at(-1)
    if (last?.stream === stream && last.data.length - last.used >= data.length) {
      last.data.set(data, last.used)
      last.used += data.length
    } else {
      // A stream that goes on in small pieces gets more room each time.
      const room = last?.stream === stream ? Math.min(pieceBytesMax, last.data.length * 2) : 0
      const piece = { stream, data: Buffer.allocUnsafeSlow(Math.max(data.length, room)), used: data.length }
      piece.data.set(data)
      this.#pieces.push(piece)
      this.#cost += costOf(piece)
      this.#shorten()
    }
    this.#announce()
  }

  /** Drops the oldest pieces, but none that somebody is about to read. */
  #shorten(): void {
    while (this.#cost > backlogBytesMax) {
      const unread = new Set(outputStreams.filter((stream) => !this.#isRead(stream)))
      const dropped = this.#take(unread)
      if (dropped === undefined) return
      this.#missedBytes += dropped.used
    }
  }

  #take(streams: ReadonlySet<OutputStream>): Piece | undefined {
    const index = this.#pieces.findIndex(({ stream }) => streams.has(stream))
    const [piece] = index === -1 ? [] : this.#pieces.splice(index, 1)
    if (piece === undefined) return undefined
    this.#cost -= costOf(piece)
    this.#announce()
    return piece
  }

  #end(stream: OutputStream, failure: { error: unknown } | undefined): void {
    this.#failure ??= failure
    this.#open.delete(stream)
    if (this.#open.size === 0) this.#ended.resolve()
    this.#announce()
  }

  #isRead(stream: OutputStream): boolean {
    return [...this.#readings].some(({ streams }) => streams.has(stream))
  }

  #isHeldBack(stream: OutputStream): boolean {
    return this.#isRead(stream) && this.#pieces.some((piece) => piece.stream === stream)
  }

  async #room(stream: OutputStream): Promise<void> {
    while (this.#isHeldBack(stream)) await this.#changed.promise
  }

  #announce(): void {
    this.#changed.resolve()
    this.#changed = deferred()
  }
}

function costOf({ data }: Piece): number {
  return data.length + pieceCostBytes
}
