/** Collects the frames of one write to the pipe: small parts are copied together, large bodies go by reference. */

import type { Writable } from 'node:stream'
import { encodeHeader, headerBytes } from './frame.ts'

/** Bodies up to this size are copied behind their header: cheaper than one more entry in a gathering write. */
const copyBytesMax = 4_096

/** Headers and small bodies are written into blocks of this size; what is left of one serves the next batch. */
const blockBytes = 16_384

export class FrameBatch {
  #parts: Buffer[] = []
  #block: Buffer | undefined
  #start = 0
  #end = 0
  #bytes = 0

  /** What the next write would carry. */
  get bytes(): number {
    return this.#bytes
  }

  header(type: number, flags: number, streamId: number, length: number): void {
    const block = this.#room(headerBytes)
    encodeHeader(block, this.#end, type, flags, streamId, length)
    this.#end += headerBytes
    this.#bytes += headerBytes
  }

  /** The next part of the body of the header before. It must not change until the pipe has taken it. */
  body(part: Uint8Array): void {
    if (part.length <= copyBytesMax) {
      this.#room(part.length).set(part, this.#end)
      this.#end += part.length
    } else {
      this.#seal()
      this.#parts.push(Buffer.from(part.buffer, part.byteOffset, part.byteLength))
    }
    this.#bytes += part.length
  }

  /** Hands everything to the pipe as one gathering write. */
  writeTo(pipe: Writable): void {
    this.#seal()
    const parts = this.#parts
    this.#parts = []
    this.#bytes = 0
    if (parts.length > 1) pipe.cork()
    for (const part of parts) pipe.write(part)
    if (parts.length > 1) pipe.uncork()
  }

  #room(bytes: number): Buffer {
    if (this.#block !== undefined && this.#block.length - this.#end >= bytes) return this.#block
    this.#seal()
    this.#start = 0
    this.#end = 0
    this.#block = Buffer.allocUnsafeSlow(blockBytes)
    return this.#block
  }

  #seal(): void {
    if (this.#block === undefined || this.#end === this.#start) return
    this.#parts.push(this.#block.subarray(this.#start, this.#end))
    this.#start = this.#end
  }
}
