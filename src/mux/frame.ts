/** Frames to bytes, and bytes to frames: bounded, incremental, linear in its input whatever the chunks. */

import { WarmcellError } from '../errors.ts'
import { windowBytes } from './window.ts'

/** Every frame starts with this many bytes; only a data frame has more. */
export const headerBytes = 12

export const FrameType = { data: 0, window: 1, ping: 2, goAway: 3 } as const

export const FrameFlag = { syn: 1, ack: 2, fin: 4, rst: 8 } as const

const typeMax = 3
const flagsMax = 15

export interface FrameHeader {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  /** Bytes of data, credit, a ping's opaque value, or a go-away code: as the type says. */
  readonly length: number
}

/** Where decoded frames go. A body comes in the pieces it arrived in, as views on the chunks: nothing is joined, nothing is kept. */
export interface FrameSink {
  /** Decides from the header alone; what it throws ends the decoding. */
  header(header: FrameHeader): void
  /** The next piece of the body of the header before, and whether it is the last. A header of length 0 has no body. */
  body(piece: Buffer, last: boolean): void
}

/** A rule of the wire was broken. The session that raises it ends. */
export function violation(what: string): WarmcellError {
  return new WarmcellError('PROTOCOL', `The guest broke the rules of the wire: ${what}.`, {
    hint: 'Its sandbox is lost; create a new one.',
  })
}

/** Writes a header into `target`. The caller has kept every number in its range. */
export function encodeHeader(
  target: Buffer,
  offset: number,
  type: number,
  flags: number,
  streamId: number,
  length: number,
): void {
  target[offset] = 0
  target[offset + 1] = type
  target[offset + 2] = flags >>> 8
  target[offset + 3] = flags
  target.writeUInt32BE(streamId, offset + 4)
  target.writeUInt32BE(length, offset + 8)
}

/** @throws PROTOCOL for what no session could welcome, in whatever state it is. */
export function decodeHeader(bytes: Buffer, offset: number): FrameHeader {
  const version = bytes[offset]
  const type = bytes[offset + 1] ?? typeMax + 1
  const flags = bytes.readUInt16BE(offset + 2)
  const streamId = bytes.readUInt32BE(offset + 4)
  const length = bytes.readUInt32BE(offset + 8)
  if (version !== 0) throw violation(`version ${version} in a frame, where 0 is spoken`)
  if (type > typeMax) throw violation(`a frame of the unknown type ${type}`)
  if (flags > flagsMax) throw violation(`unknown flags 0x${flags.toString(16)} in a frame`)
  const ofStream = type === FrameType.data || type === FrameType.window
  if (ofStream !== streamId > 0) throw violation(`a frame of type ${type} for stream ${streamId}`)
  if (type === FrameType.data && length > windowBytes)
    throw violation(`${length} bytes in one frame, more than a window ever holds`)
  return { type, flags, streamId, length }
}

/** Cuts a byte stream into frames. It holds less than one header, and counts down the body it is in. */
export class FrameDecoder {
  readonly #sink: FrameSink
  readonly #header: Buffer = Buffer.alloc(headerBytes)
  #headerFilled = 0
  #bodyLeft = 0
  #framesEnded = 0

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** Whether a frame has begun and not ended. */
  get inFrame(): boolean {
    return this.#headerFilled > 0 || this.#bodyLeft > 0
  }

  /** Counts whole frames: tells one unfinished frame from the next. */
  get framesEnded(): number {
    return this.#framesEnded
  }

  /** @throws PROTOCOL at the first header that is wrong, or whatever the sink throws. Nothing may be pushed after that. */
  push(chunk: Buffer): void {
    let offset = 0
    while (offset < chunk.length) {
      if (this.#bodyLeft > 0) offset = this.#takeBody(chunk, offset)
      else if (this.#headerFilled === 0 && chunk.length - offset >= headerBytes) {
        this.#begin(decodeHeader(chunk, offset))
        offset += headerBytes
      } else offset = this.#takePartOfHeader(chunk, offset)
    }
  }

  #takeBody(chunk: Buffer, offset: number): number {
    const end = Math.min(chunk.length, offset + this.#bodyLeft)
    this.#bodyLeft -= end - offset
    if (this.#bodyLeft === 0) this.#framesEnded++
    this.#sink.body(offset === 0 && end === chunk.length ? chunk : chunk.subarray(offset, end), this.#bodyLeft === 0)
    return end
  }

  #takePartOfHeader(chunk: Buffer, offset: number): number {
    const end = Math.min(chunk.length, offset + headerBytes - this.#headerFilled)
    for (let at = offset; at < end; at++) this.#header[this.#headerFilled++] = chunk[at] ?? 0
    if (this.#headerFilled === headerBytes) {
      this.#headerFilled = 0
      this.#begin(decodeHeader(this.#header, 0))
    }
    return end
  }

  #begin(header: FrameHeader): void {
    if (header.type === FrameType.data) this.#bodyLeft = header.length
    if (this.#bodyLeft === 0) this.#framesEnded++
    this.#sink.header(header)
  }
}
