/** Many streams on one pipe: a session of yamux, with every rule of protocol.md checked and every queue bounded. */

import type { Duplex } from 'node:stream'
import { type CallOptions, withDeadline } from '../common/deadline.ts'
import { WarmcellError } from '../errors.ts'
import { FrameBatch } from './batch.ts'
import { FrameDecoder, FrameFlag, type FrameHeader, FrameType, violation } from './frame.ts'
import { MuxStream, type StreamHost } from './stream.ts'

/** Streams of one side that may be alive at once: protocol.md, chapter 2. 85 processes of three streams each. */
export const openStreamsMax = 256

/** A frame that has begun must end within this. An honest guest sends it in one go, and half a frame would block every stream. */
export const frameMsMax = 5_000

/** One write to the pipe: large enough to fill its buffer, small enough that control frames and other streams wait little. */
const batchBytesMax = 262_144

/** Answers (to pings and to refused opens) that the guest has not taken. One that asks and never reads must not grow the host. */
const answerBytesMax = 262_144

const streamIdMax = 0xffff_ffff

const goAwayCode = { inOrder: 0, violation: 1 } as const

export interface MuxSessionOptions {
  /** Who speaks: the client has odd stream ids, the server even ones. */
  role: 'client' | 'server'
  /** Takes the streams that the other side opens. Without it, each is refused. */
  onStream?: (stream: MuxStream) => void
}

/**
 * A session lives and dies with its pipe, which it owns from here on: nothing is resumed.
 *
 * What the other side sends is hostile. A broken rule ends the session with `PROTOCOL`, the pipe's end is `GUEST_UNREACHABLE`, and
 * either destroys every stream with that error at once.
 */
export class MuxSession {
  /** Resolves, and never rejects, when the session is over: with the reason, or with undefined when it was closed here, in order. */
  readonly ended: Promise<WarmcellError | undefined>

  readonly #pipe: Duplex
  readonly #onStream: ((stream: MuxStream) => void) | undefined
  readonly #streams: Map<number, MuxStream> = new Map()
  readonly #pings: Map<number, { resolve(ms: number): void; reject(error: WarmcellError): void; sentAt: number }> = new Map()
  #nextPing = 0
  #end: { error: WarmcellError | undefined } | undefined
  #resolveEnded: (error: WarmcellError | undefined) => void = () => {}

  readonly #ownParity: number
  #nextId: number
  #lastPeerId = 0
  #ownAlive = 0
  #peerAlive = 0

  readonly #decoder: FrameDecoder
  /** Whose body is coming, undefined for a body to drop; and whether its frame ends the stream's direction. */
  #current: MuxStream | undefined
  #currentEnds = false
  #touched: MuxStream[] = []
  #frameTimer: NodeJS.Timeout | undefined
  #frameBegan = 0

  readonly #batch: FrameBatch = new FrameBatch()
  /** Streams with something to send, in the order of their turns. */
  readonly #ready: Set<MuxStream> = new Set()
  #flushPlanned = false
  #congested = false

  readonly #host: StreamHost = {
    ready: (stream) => {
      if (this.#end !== undefined) return
      this.#ready.add(stream)
      this.#planFlush()
    },
    grant: (stream, bytes) => this.#control(FrameType.window, 0, stream.id, bytes),
    finished: (stream) => this.#forget(stream),
    dropped: (stream) => {
      if (this.#streams.get(stream.id) !== stream) return
      this.#forget(stream)
      if (stream.announced) this.#control(FrameType.window, FrameFlag.rst, stream.id, 0)
    },
  }

  constructor(pipe: Duplex, options: MuxSessionOptions) {
    this.#pipe = pipe
    this.#onStream = options.onStream
    this.#ownParity = options.role === 'client' ? 1 : 0
    this.#nextId = options.role === 'client' ? 1 : 2
    this.#decoder = new FrameDecoder({ header: (header) => this.#onHeader(header), body: (piece, last) => this.#onBody(piece, last) })
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
    pipe.on('error', (cause: Error) => this.#finish(unreachable(`The connection to the guest failed: ${cause.message}.`, cause)))
    pipe.on('close', this.#onPipeEnd)
    pipe.on('end', this.#onPipeEnd)
    pipe.on('drain', this.#onDrain)
    pipe.on('data', this.#onData)
    if (pipe.destroyed || pipe.readableEnded) this.#onPipeEnd()
  }

  /** How many streams are alive, whoever opened them. */
  get streamCount(): number {
    return this.#streams.size
  }

  /**
   * Opens a stream. Nothing is waited for: what is written in the same tick leaves together with the opening.
   *
   * @throws GUEST_UNREACHABLE when the session has ended, PROTOCOL when it ended by a violation; UNSUPPORTED, which is retryable,
   * while 256 streams are alive.
   */
  open(): MuxStream {
    if (this.#end !== undefined) throw this.#end.error ?? closedHere()
    if (this.#ownAlive >= openStreamsMax || this.#nextId > streamIdMax) {
      throw new WarmcellError('UNSUPPORTED', `${openStreamsMax} streams are open to this guest, the most the wire carries at once.`, {
        hint: 'Wait until one of them has ended.',
        retryable: true,
      })
    }
    const stream = new MuxStream(this.#nextId, this.#host, FrameFlag.syn)
    this.#nextId += 2
    this.#ownAlive++
    this.#streams.set(stream.id, stream)
    this.#host.ready(stream)
    return stream
  }

  /**
   * Asks the other side for a sign of life.
   *
   * @returns the round trip in milliseconds
   * @throws GUEST_UNREACHABLE or PROTOCOL when the session ends before the answer; TIMEOUT; the signal's reason.
   */
  async ping(options: CallOptions = {}): Promise<number> {
    if (this.#end !== undefined) throw this.#end.error ?? closedHere()
    const value = this.#nextPing
    this.#nextPing = (this.#nextPing + 1) % (streamIdMax + 1)
    try {
      return await withDeadline('ping of the guest', options, () => {
        const answer = new Promise<number>((resolve, reject) => this.#pings.set(value, { resolve, reject, sentAt: performance.now() }))
        this.#control(FrameType.ping, FrameFlag.syn, 0, value)
        return answer
      })
    } finally {
      this.#pings.delete(value)
    }
  }

  /** Ends the session and its pipe, and destroys every stream with the error. Calling it again changes nothing. */
  destroy(error?: WarmcellError): void {
    this.#finish(error)
  }

  readonly #onPipeEnd = (): void => this.#finish(unreachable('The connection to the guest was closed.'))

  readonly #onDrain = (): void => {
    this.#congested = false
    this.#flush()
  }

  readonly #onData = (chunk: Buffer): void => {
    const unfinished = this.#decoder.inFrame ? this.#decoder.framesEnded : -1
    try {
      this.#decoder.push(chunk)
    } catch (error) {
      this.#finish(WarmcellError.is(error) ? error : violation(String(error)))
      return
    }
    // Once per chunk, not once per frame: small frames reach the reader joined.
    for (let stream = this.#touched.pop(); stream !== undefined; stream = this.#touched.pop()) stream.deliver()
    if (this.#decoder.inFrame && this.#decoder.framesEnded !== unfinished) this.#watchFrame()
  }

  #onHeader(header: FrameHeader): void {
    this.#current = undefined
    if (this.#end !== undefined) return
    if (header.type === FrameType.ping) this.#onPing(header)
    else if (header.type === FrameType.goAway) this.#finish(unreachable(`The guest ended the connection (go away ${header.length}).`))
    else this.#onStreamFrame(header)
  }

  #onPing({ flags, length }: FrameHeader): void {
    if ((flags & FrameFlag.syn) !== 0) return this.#answer(FrameType.ping, FrameFlag.ack, 0, length)
    const ping = this.#pings.get(length)
    this.#pings.delete(length)
    ping?.resolve(performance.now() - ping.sentAt)
  }

  #onStreamFrame(header: FrameHeader): void {
    const { type, flags, streamId, length } = header
    if ((flags & FrameFlag.syn) !== 0) this.#onOpen(streamId, (flags & FrameFlag.rst) !== 0)
    const stream = this.#streams.get(streamId)
    if (stream === undefined) {
      const known = streamId % 2 === this.#ownParity ? streamId < this.#nextId : streamId <= this.#lastPeerId
      if (!known) throw violation(`a frame for stream ${streamId}, which was never opened`)
      return
    }
    if ((flags & FrameFlag.rst) !== 0) {
      this.#forget(stream)
      stream.destroy(unreachable(`The guest reset stream ${streamId}.`))
      return
    }
    const ends = (flags & FrameFlag.fin) !== 0
    if (type === FrameType.window) {
      if (!stream.receiveCredit(length)) throw violation(`a window of more than 2^31 - 1 bytes on stream ${streamId}`)
    } else {
      if (!stream.admit(length)) throw violation(`${length} bytes on stream ${streamId}, more than it has credit for`)
      if (length > 0) {
        this.#current = stream
        this.#currentEnds = ends
        return
      }
    }
    if (ends) this.#onFin(stream)
  }

  #onBody(piece: Buffer, last: boolean): void {
    const stream = this.#current
    if (stream === undefined || stream.destroyed) return
    stream.receive(piece)
    if (last && this.#currentEnds) this.#onFin(stream)
    else if (this.#touched.at(-1) !== stream) this.#touched.push(stream)
  }

  #onFin(stream: MuxStream): void {
    stream.receiveFin()
    this.#touched.push(stream)
  }

  #onOpen(streamId: number, resetAtOnce: boolean): void {
    if (streamId % 2 === this.#ownParity) throw violation(`stream ${streamId} opened, an id that is not the guest's to give`)
    if (streamId <= this.#lastPeerId) throw violation(`stream ${streamId} opened after stream ${this.#lastPeerId}`)
    this.#lastPeerId = streamId
    if (resetAtOnce) return
    if (this.#onStream === undefined || this.#peerAlive >= openStreamsMax) return this.#answer(FrameType.window, FrameFlag.rst, streamId, 0)
    const stream = new MuxStream(streamId, this.#host, FrameFlag.ack)
    this.#peerAlive++
    this.#streams.set(streamId, stream)
    this.#host.ready(stream)
    this.#onStream(stream)
  }

  #forget(stream: MuxStream): void {
    if (!this.#streams.delete(stream.id)) return
    this.#ready.delete(stream)
    if (stream.id % 2 === this.#ownParity) this.#ownAlive--
    else this.#peerAlive--
    stream.onReleased?.()
  }

  /** What the other side made us say: bounded, because it may never read it. */
  #answer(type: number, flags: number, streamId: number, length: number): void {
    if (this.#batch.bytes >= answerBytesMax) throw violation(`${answerBytesMax} bytes of answers asked for and not read`)
    this.#control(type, flags, streamId, length)
  }

  /** Control frames go into the batch at once, and so before any data. */
  #control(type: number, flags: number, streamId: number, length: number): void {
    if (this.#end !== undefined) return
    this.#batch.header(type, flags, streamId, length)
    this.#planFlush()
  }

  /** Two turns of the tick queue: what ends a stream comes one turn after its last write, and shall leave in the same write. */
  #planFlush(): void {
    if (this.#flushPlanned || this.#congested) return
    this.#flushPlanned = true
    process.nextTick(() => process.nextTick(() => this.#flush()))
  }

  /** One frame of each stream in turn, until the batch is full or nobody has more. */
  #flush(): void {
    this.#flushPlanned = false
    if (this.#end !== undefined || this.#congested) return
    for (const stream of this.#ready) {
      if (this.#batch.bytes >= batchBytesMax) break
      this.#ready.delete(stream)
      if (stream.fill(this.#batch)) this.#ready.add(stream) // the loop comes to it again, after the others
    }
    if (this.#batch.bytes === 0) return
    this.#batch.writeTo(this.#pipe)
    this.#congested = this.#pipe.writableNeedDrain
    if (this.#ready.size > 0) this.#planFlush()
  }

  /** A frame has begun and not ended. One timer serves all frames, as almost every chunk ends inside one. */
  #watchFrame(): void {
    this.#frameBegan = performance.now()
    this.#frameTimer ??= setTimeout(this.#checkFrame, frameMsMax).unref()
  }

  readonly #checkFrame = (): void => {
    this.#frameTimer = undefined
    if (!this.#decoder.inFrame) return
    const leftMs = this.#frameBegan + frameMsMax - performance.now()
    if (leftMs > 0) {
      this.#frameTimer = setTimeout(this.#checkFrame, Math.ceil(leftMs)).unref()
      return
    }
    // When this process itself was stopped or busy, the rest of the frame may be waiting to be read: let it be read first.
    const unfinished = this.#decoder.framesEnded
    setImmediate(() => {
      if (this.#decoder.inFrame && this.#decoder.framesEnded === unfinished) this.#finish(violation(`half a frame and no more of it for ${frameMsMax} ms`))
      else if (this.#decoder.inFrame) this.#watchFrame()
    }).unref()
  }

  #finish(error: WarmcellError | undefined): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    clearTimeout(this.#frameTimer)
    this.#pipe.off('data', this.#onData).off('drain', this.#onDrain).off('end', this.#onPipeEnd).off('close', this.#onPipeEnd)
    const reason = error ?? closedHere()
    for (const stream of [...this.#streams.values()]) {
      this.#forget(stream)
      stream.destroy(reason)
    }
    for (const ping of this.#pings.values()) ping.reject(reason)
    this.#pings.clear()
    this.#closePipe(error)
    this.#resolveEnded(error)
  }

  /** Says why where the pipe still takes it; waits for nothing, as the other side may never read. */
  #closePipe(error: WarmcellError | undefined): void {
    const pipe = this.#pipe
    if (error?.code === 'GUEST_UNREACHABLE' || this.#congested || !pipe.writable) {
      pipe.destroy()
      return
    }
    this.#batch.header(FrameType.goAway, 0, 0, error?.code === 'PROTOCOL' ? goAwayCode.violation : goAwayCode.inOrder)
    this.#batch.writeTo(pipe)
    pipe.end()
    setImmediate(() => pipe.destroy())
  }
}

function unreachable(message: string, cause?: Error): WarmcellError {
  return new WarmcellError('GUEST_UNREACHABLE', message, { cause })
}

function closedHere(): WarmcellError {
  return unreachable('The connection to the guest was closed on this side.')
}
