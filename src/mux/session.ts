/** Many streams on one pipe: a session of yamux, with every rule of protocol.md checked and every queue bounded. */

import type { Duplex } from 'node:stream'
import { type CallOptions, withDeadline } from '../common/deadline.ts'
import { WarmcellError } from '../errors.ts'
import { FrameDecoder, FrameFlag, type FrameHeader, FrameType, violation } from './frame.ts'
import { Outlet } from './outlet.ts'
import { MuxStream, type StreamHost } from './stream.ts'
import { FrameWatch, frameMsMax } from './watch.ts'

/** Streams that may be alive at once, by who opened them: protocol.md, chapter 2. */
export const openStreamsMax = { client: 512, server: 256 } as const

const streamIdMax = 0xffff_ffff

const goAwayCode = { inOrder: 0, violation: 1 } as const

export interface MuxSessionOptions {
  /** Who speaks: the client has odd stream ids, the server even ones. */
  role: 'client' | 'server'
  /** Takes the streams that the other side opens. Without it, each is refused. */
  onStream?: (stream: MuxStream) => void
}

/**
 * A session lives and dies with its pipe, which it owns from here on, unless it is released: nothing is resumed.
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
  readonly #ownMax: number
  readonly #peerMax: number
  #nextId: number
  #lastPeerId = 0
  #ownAlive = 0
  #peerAlive = 0

  readonly #decoder: FrameDecoder
  /** Whose body is coming, undefined for a body to drop; and whether its frame ends the stream's direction. */
  #current: MuxStream | undefined
  #currentEnds = false
  readonly #touched: MuxStream[] = []
  readonly #watch: FrameWatch
  readonly #outlet: Outlet

  readonly #host: StreamHost = {
    ready: (stream) => this.#outlet.add(stream),
    grant: (stream, bytes, flags) => this.#outlet.control(FrameType.window, flags, stream.id, bytes),
    finished: (stream) => this.#forget(stream),
    dropped: (stream) => {
      if (this.#streams.get(stream.id) !== stream) return
      this.#forget(stream)
      if (stream.announced) this.#outlet.control(FrameType.window, FrameFlag.rst, stream.id, 0)
    },
  }

  constructor(pipe: Duplex, options: MuxSessionOptions) {
    this.#pipe = pipe
    this.#onStream = options.onStream
    const isClient = options.role === 'client'
    this.#ownParity = isClient ? 1 : 0
    this.#nextId = isClient ? 1 : 2
    this.#ownMax = openStreamsMax[isClient ? 'client' : 'server']
    this.#peerMax = openStreamsMax[isClient ? 'server' : 'client']
    this.#decoder = new FrameDecoder({
      header: (header) => this.#onHeader(header),
      body: (piece, last) => this.#onBody(piece, last),
    })
    this.#outlet = new Outlet(pipe)
    this.#watch = new FrameWatch(this.#decoder, () =>
      this.#finish(violation(`a frame was begun and not ended within ${frameMsMax} ms`)),
    )
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
    pipe.on('error', this.#onPipeError)
    pipe.on('close', this.#onPipeEnd)
    pipe.on('end', this.#onPipeEnd)
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
   * while as many are alive as this side may have.
   */
  open(): MuxStream {
    if (this.#end !== undefined) throw this.#end.error ?? closedHere()
    if (this.#ownAlive >= this.#ownMax || this.#nextId > streamIdMax) {
      throw new WarmcellError('UNSUPPORTED', `${this.#ownMax} streams are open to this guest, the most it takes at once.`, {
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
        const answer = new Promise<number>((resolve, reject) =>
          this.#pings.set(value, { resolve, reject, sentAt: performance.now() }),
        )
        this.#outlet.control(FrameType.ping, FrameFlag.syn, 0, value)
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

  /** Ends the session and leaves its pipe as it is, to one that comes after it: for when the other side has forgotten it too, and says nothing more. */
  release(): void {
    this.#finish(undefined, () => {
      this.#pipe.off('error', this.#onPipeError)
      this.#outlet.release()
    })
  }

  readonly #onPipeError = (cause: Error): void =>
    this.#finish(unreachable(`The connection to the guest failed: ${cause.message}.`, cause))

  readonly #onPipeEnd = (): void => this.#finish(unreachable('The connection to the guest was closed.'))

  readonly #onData = (chunk: Buffer): void => {
    const unfinished = this.#decoder.inFrame ? this.#decoder.framesEnded : -1
    let broken: WarmcellError | undefined
    try {
      this.#decoder.push(chunk)
    } catch (error) {
      if (!WarmcellError.is(error)) throw error
      broken = error
    }
    // Once per chunk, not once per frame: small frames reach the reader joined. Also before a broken rule: a stream that had ended in order is not among those
    // that end with the session, and its reader would wait for ever.
    for (const stream of this.#touched) stream.deliver()
    this.#touched.length = 0
    if (broken !== undefined) {
      this.#finish(broken)
      return
    }
    if (this.#decoder.inFrame && this.#decoder.framesEnded !== unfinished) this.#watch.begin()
  }

  #onHeader(header: FrameHeader): void {
    this.#current = undefined
    if (this.#end !== undefined) return
    if (header.type === FrameType.ping) this.#onPing(header)
    else if (header.type === FrameType.goAway)
      this.#finish(unreachable(`The guest ended the connection (go away ${header.length}).`))
    else this.#onStreamFrame(header)
  }

  #onPing({ flags, length }: FrameHeader): void {
    if ((flags & FrameFlag.syn) !== 0) {
      this.#outlet.answer(FrameType.ping, FrameFlag.ack, 0, length)
      return
    }
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
    if (this.#onStream === undefined || this.#peerAlive >= this.#peerMax) {
      this.#outlet.answer(FrameType.window, FrameFlag.rst, streamId, 0)
      return
    }
    const stream = new MuxStream(streamId, this.#host, FrameFlag.ack)
    this.#peerAlive++
    this.#streams.set(streamId, stream)
    this.#host.ready(stream)
    this.#onStream(stream)
  }

  #forget(stream: MuxStream): void {
    if (!this.#streams.delete(stream.id)) return
    this.#outlet.remove(stream)
    if (stream.id % 2 === this.#ownParity) this.#ownAlive--
    else this.#peerAlive--
    stream.onReleased?.()
  }

  #finish(error: WarmcellError | undefined, leave: () => void = () => this.#closeOutlet(error)): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    this.#watch.stop()
    this.#pipe.off('data', this.#onData).off('end', this.#onPipeEnd).off('close', this.#onPipeEnd)
    const reason = error ?? closedHere()
    for (const stream of [...this.#streams.values()]) {
      this.#forget(stream)
      stream.destroy(reason)
    }
    for (const ping of this.#pings.values()) ping.reject(reason)
    this.#pings.clear()
    leave()
    this.#resolveEnded(error)
  }

  #closeOutlet(error: WarmcellError | undefined): void {
    if (error?.code === 'GUEST_UNREACHABLE') this.#outlet.close()
    else this.#outlet.close(error?.code === 'PROTOCOL' ? goAwayCode.violation : goAwayCode.inOrder)
  }
}

function unreachable(message: string, cause?: Error): WarmcellError {
  return new WarmcellError('GUEST_UNREACHABLE', message, { cause })
}

function closedHere(): WarmcellError {
  return unreachable('The connection to the guest was closed on this side.')
}
