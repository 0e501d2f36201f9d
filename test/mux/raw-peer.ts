/** The other side of a session as a test plays it: it says exactly the frames it is told to, right or wrong. */

import type { Duplex } from 'node:stream'
import { decodeHeader, encodeHeader, type FrameHeader, headerBytes } from '../../src/mux/index.ts'

export interface RawFrame extends FrameHeader {
  readonly body: Buffer
}

export class RawPeer {
  /** Whole frames that came, in order. */
  readonly frames: RawFrame[] = []
  readonly pipe: Duplex
  #bytes: Buffer = Buffer.alloc(0)
  readonly #waiters: Array<() => void> = []
  closed = false

  constructor(pipe: Duplex) {
    this.pipe = pipe
    pipe.on('error', () => {})
    pipe.on('data', (chunk: Buffer) => this.#take(chunk))
    const onClosed = (): void => {
      this.closed = true
      this.#wake()
    }
    pipe.on('end', onClosed).on('close', onClosed)
  }

  frame(type: number, flags: number, streamId: number, length: number, body: Uint8Array = Buffer.alloc(0)): void {
    this.pipe.write(frameBytes(type, flags, streamId, length, body))
  }

  data(streamId: number, body: Uint8Array | string, flags = 0): void {
    const bytes = Buffer.from(body as string)
    this.frame(0, flags, streamId, bytes.length, bytes)
  }

  /** The first frame, already here or still to come, that fits. */
  async saw(what: (frame: RawFrame) => boolean): Promise<RawFrame> {
    for (;;) {
      const found = this.frames.find(what)
      if (found !== undefined) return found
      if (this.closed) throw new Error('the pipe ended before such a frame')
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
  }

  async sawClose(): Promise<void> {
    while (!this.closed) await new Promise<void>((resolve) => this.#waiters.push(resolve))
  }

  #take(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    while (this.#bytes.length >= headerBytes) {
      const header = decodeHeader(this.#bytes, 0)
      const end = headerBytes + (header.type === 0 ? header.length : 0)
      if (this.#bytes.length < end) break
      this.frames.push({ ...header, body: this.#bytes.subarray(headerBytes, end) })
      this.#bytes = this.#bytes.subarray(end)
    }
    this.#wake()
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter()
  }
}

export function frameBytes(
  type: number,
  flags: number,
  streamId: number,
  length: number,
  body: Uint8Array = Buffer.alloc(0),
): Buffer {
  const bytes = Buffer.alloc(headerBytes + body.length)
  encodeHeader(bytes, 0, type, flags, streamId, length)
  bytes.set(body, headerBytes)
  return bytes
}
