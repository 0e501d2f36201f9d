/** The way out: which frame goes into the pipe next, and how many wait. */

import type { Duplex } from 'node:stream'
import { FrameBatch } from './batch.ts'
import { FrameType, violation } from './frame.ts'
import type { MuxStream } from './stream.ts'

/** One write to the pipe: large enough to fill its buffer, small enough that control frames and other streams wait little. */
const batchBytesMax = 262_144

/** Answers (to pings and to refused opens) that the guest has not taken. One that asks and never reads must not grow the host. */
const answerBytesMax = 262_144

/** Gathers the frames of one tick into one write: control frames first, then one data frame of each stream in turn. */
export class Outlet {
  readonly #pipe: Duplex
  readonly #batch: FrameBatch = new FrameBatch()
  /** Streams with something to send, in the order of their turns. */
  readonly #ready: Set<MuxStream> = new Set()
  #flushPlanned = false
  #congested = false
  #closed = false

  constructor(pipe: Duplex) {
    this.#pipe = pipe
    pipe.on('drain', this.#onDrain)
  }

  /** The stream may have something to send: it gets its turn. */
  add(stream: MuxStream): void {
    if (this.#closed) return
    this.#ready.add(stream)
    this.#planFlush()
  }

  remove(stream: MuxStream): void {
    this.#ready.delete(stream)
  }

  /** A control frame goes into the batch at once, and so before any data. */
  control(type: number, flags: number, streamId: number, length: number): void {
    if (this.#closed) return
    this.#batch.header(type, flags, streamId, length)
    this.#planFlush()
  }

  /**
   * A control frame that the other side made us say: bounded, because it may never read it.
   *
   * @throws PROTOCOL when it asked for too much and read nothing.
   */
  answer(type: number, flags: number, streamId: number, length: number): void {
    if (this.#batch.bytes >= answerBytesMax) throw violation(`${answerBytesMax} bytes of answers asked for and not read`)
    this.control(type, flags, streamId, length)
  }

  /** Sends nothing more, and leaves the pipe to somebody else. */
  release(): void {
    this.#closed = true
    this.#ready.clear()
    this.#pipe.off('drain', this.#onDrain)
  }

  /** Ends the pipe; with a go-away code says it first, where the pipe still takes it. Waits for nothing: the other side may never read. */
  close(goAwayCode?: number): void {
    if (this.#closed) return
    this.release()
    if (goAwayCode === undefined || this.#congested || !this.#pipe.writable) {
      this.#pipe.destroy()
      return
    }
    this.#batch.header(FrameType.goAway, 0, 0, goAwayCode)
    this.#batch.writeTo(this.#pipe)
    this.#pipe.end()
    setImmediate(() => this.#pipe.destroy())
  }

  readonly #onDrain = (): void => {
    this.#congested = false
    this.#flush()
  }

  /** Two turns of the tick queue: what ends a stream comes one turn after its last write, and shall leave in the same write. */
  #planFlush(): void {
    if (this.#flushPlanned || this.#congested) return
    this.#flushPlanned = true
    process.nextTick(() => process.nextTick(() => this.#flush()))
  }

  #flush(): void {
    this.#flushPlanned = false
    if (this.#closed || this.#congested) return
    for (const stream of this.#ready) {
      if (this.#batch.bytes >= batchBytesMax) break
      this.#ready.delete(stream)
      if (stream.fill(this.#batch)) this.#ready.add(stream) // the loop comes to it again, after the others
    }
    // A writer told of its progress may have ended the session.
    if (this.#closed || this.#batch.bytes === 0) return
    this.#batch.writeTo(this.#pipe)
    this.#congested = this.#pipe.writableNeedDrain
    if (this.#ready.size > 0) this.#planFlush()
  }
}
