/** One stream of a session as a Node Duplex, whose backpressure is the wire's credit. */

import { Duplex } from 'node:stream'
import { WarmcellError } from '../errors.ts'
import type { FrameBatch } from './batch.ts'
import { FrameFlag, FrameType } from './frame.ts'
import { ReceiveQueue } from './queue.ts'
import { afterGrant, afterReceiving, frameBytesMax, grantFor, nextFrameBytes, windowBytes } from './window.ts'

/** What a writer may have waiting here before `write` says false: one window, so that a grant finds data to send. */
const writeBufferBytesMax = 262_144

/** What a stream asks of the session it belongs to. */
export interface StreamHost {
  /** There may be something to send. */
  ready(stream: MuxStream): void
  /** The reader has consumed this much; the flags are to go with the frame that says so. */
  grant(stream: MuxStream, bytes: number, flags: number): void
  /** Both directions have ended in order. */
  finished(stream: MuxStream): void
  /** It was destroyed here, in order or not. */
  dropped(stream: MuxStream): void
}

type Callback = (error?: Error | null) => void

/**
 * One stream: what is written goes out as credit allows, what comes in waits until it is read. Credit is granted when the reader has
 * consumed, so that an unread stream holds one window (256 KiB) and no more. Destroying it resets it on the other side.
 *
 * Methods marked internal are called by the session.
 */
export class MuxStream extends Duplex {
  readonly id: number
  /** Called once, when the session has forgotten the stream and its place is free. Data that came before may still be unread. */
  onReleased: (() => void) | undefined

  readonly #host: StreamHost
  readonly #received: ReceiveQueue = new ReceiveQueue()
  #receiveCredit: number = windowBytes
  #pushedSinceGrant = 0
  #wanted = false
  #finReceived = false
  #endPushed = false

  #openFlag: number
  #outgoing: Uint8Array[] = []
  #outgoingBytes = 0
  #sendCredit: number = windowBytes
  #heldWrite: Callback | undefined
  #heldFinal: Callback | undefined
  #finSent = false
  #discarding = false

  /** @internal */
  constructor(id: number, host: StreamHost, openFlag: number) {
    // A high-water mark of 0: what was not asked for stays in our own queue, which is counted against the credit.
    super({ allowHalfOpen: true, readableHighWaterMark: 0, writableHighWaterMark: writeBufferBytesMax })
    this.id = id
    this.#host = host
    this.#openFlag = openFlag
    // The guest can end a stream at any moment: that must never become an uncaught exception of the host's process.
    this.on('error', ignore)
  }

  /** Ends both directions at once and throws away what is queued, here and on the other side. */
  reset(): void {
    this.destroy()
  }

  /** Ends the sending direction at once: what still waits, and what is still written, is thrown away. */
  discardWrites(): void {
    if (this.#discarding || this.destroyed) return
    this.#discarding = true
    this.#outgoing = []
    this.#outgoingBytes = 0
    this.#releaseWrite()
    if (!this.writableEnded) this.end()
  }

  override _read(): void {
    this.#wanted = true
    this.deliver()
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Callback): void {
    this.#enqueue(chunk)
    this.#holdOrRelease(done)
  }

  override _writev(chunks: Array<{ chunk: Uint8Array }>, done: Callback): void {
    for (const { chunk } of chunks) this.#enqueue(chunk)
    this.#holdOrRelease(done)
  }

  override _final(done: Callback): void {
    this.#heldFinal = done
    this.#host.ready(this)
  }

  override _destroy(error: Error | null, done: Callback): void {
    this.#received.clear()
    this.#outgoing = []
    this.#outgoingBytes = 0
    this.#host.dropped(this)
    const held = [this.#heldWrite, this.#heldFinal]
    this.#heldWrite = undefined
    this.#heldFinal = undefined
    for (const callback of held)
      callback?.(error ?? new WarmcellError('GUEST_UNREACHABLE', `Stream ${this.id} was reset before its data was sent.`))
    done(error)
  }

  /** Whether both directions have ended in order. @internal */
  get finished(): boolean {
    return this.#finSent && this.#finReceived
  }

  /** Whether the other side has been told of the stream. @internal */
  get announced(): boolean {
    return this.#openFlag !== FrameFlag.syn
  }

  /** Counts data against the credit, before a byte of it is kept. False when it was not granted. @internal */
  admit(bytes: number): boolean {
    const credit = afterReceiving(this.#receiveCredit, bytes)
    if (credit === undefined || (this.#finReceived && bytes > 0)) return false
    this.#receiveCredit = credit
    return true
  }

  /** @internal */
  receive(piece: Buffer): void {
    this.#received.push(piece)
  }

  /** The end is told to the reader with the next delivery. @internal */
  receiveFin(): void {
    this.#finReceived = true
    if (this.#finSent) this.#host.finished(this)
  }

  /** False when the credit is beyond every honest window. @internal */
  receiveCredit(bytes: number): boolean {
    const credit = afterGrant(this.#sendCredit, bytes)
    if (credit === undefined) return false
    this.#sendCredit = credit
    if (this.#outgoingBytes > 0) this.#host.ready(this)
    return true
  }

  /** Hands on what came, as far as the reader asks. @internal */
  deliver(): void {
    while (this.#wanted) {
      const piece = this.#received.shift()
      if (piece === undefined) break
      this.#pushedSinceGrant += piece.length
      this.#wanted = this.push(piece)
    }
    if (this.#finReceived && !this.#endPushed && this.#received.empty && !this.destroyed) {
      this.#endPushed = true
      this.push(null)
    }
    this.#grant()
  }

  /**
   * Puts the next frame into the batch. True when another could follow at once.
   *
   * The end is a frame of its own, never a flag on data: widespread readers take the flag before the data, and lose it. @internal
   */
  fill(batch: FrameBatch): boolean {
    const bytes = nextFrameBytes(this.#outgoingBytes, this.#sendCredit)
    const ends = this.#heldFinal !== undefined && bytes === this.#outgoingBytes
    if (bytes > 0) {
      batch.header(FrameType.data, this.#takeOpenFlag(), this.id, bytes)
      this.#dequeue(batch, bytes)
    }
    if (ends) batch.header(FrameType.window, this.#takeOpenFlag() | FrameFlag.fin, this.id, 0)
    else if (this.#openFlag !== 0) batch.header(FrameType.window, this.#takeOpenFlag(), this.id, 0)
    this.#releaseWrite()
    if (ends) this.#finish()
    return this.#outgoingBytes > 0 && this.#sendCredit > 0
  }

  /** SYN or ACK go with the first frame, whichever that is. */
  #takeOpenFlag(): number {
    const flag = this.#openFlag
    this.#openFlag = 0
    return flag
  }

  #enqueue(chunk: Uint8Array): void {
    if (this.#discarding || chunk.length === 0) return
    this.#outgoing.push(chunk)
    this.#outgoingBytes += chunk.length
  }

  /** Less than a frame: the writer may go on, so that small writes of one tick share a frame. */
  #holdOrRelease(done: Callback): void {
    if (this.#outgoingBytes > 0) this.#host.ready(this)
    if (this.#outgoingBytes < frameBytesMax) done()
    else this.#heldWrite = done
  }

  #releaseWrite(): void {
    const done = this.#heldWrite
    if (done === undefined || this.#outgoingBytes >= frameBytesMax) return
    this.#heldWrite = undefined
    done()
  }

  #dequeue(batch: FrameBatch, bytes: number): void {
    this.#sendCredit -= bytes
    this.#outgoingBytes -= bytes
    let left = bytes
    let taken = 0
    while (left > 0) {
      const part = this.#outgoing[taken]
      if (part === undefined) break
      if (part.length > left) {
        batch.body(part.subarray(0, left))
        this.#outgoing[taken] = part.subarray(left)
        break
      }
      batch.body(part)
      left -= part.length
      taken++
    }
    if (taken > 0) this.#outgoing.splice(0, taken)
  }

  #finish(): void {
    const done = this.#heldFinal
    this.#heldFinal = undefined
    this.#finSent = true
    if (this.#finReceived) this.#host.finished(this)
    done?.()
  }

  #grant(): void {
    // Most pieces leave it here: the rest asks the streams of Node, which takes longer than a small piece itself.
    if (grantFor(this.#pushedSinceGrant) === 0 || this.#finReceived || this.destroyed) return
    const bytes = grantFor(this.#pushedSinceGrant - this.readableLength)
    if (bytes === 0) return
    this.#pushedSinceGrant -= bytes
    this.#receiveCredit += bytes
    this.#host.grant(this, bytes, this.#takeOpenFlag())
  }
}

function ignore(): void {}
