/** Messages out of a stream: the length is judged before a byte of the message is kept. */

import type { Duplex } from 'node:stream'
import { WarmcellError } from '../errors.ts'
import { violation } from '../mux/index.ts'
import { decodeMessage } from './codec.ts'
import { lengthBytes } from './fields.ts'
import { type Direction, type GuestMessage, type HostMessage, messageBytesMax } from './messages.ts'

export type MessageTowards<D extends Direction> = D extends 'host' ? GuestMessage : HostMessage

/** Takes chunks, gives messages. Ask `next` until it has none before the next `push`. */
export class MessageReader<D extends Direction> {
  readonly #towards: D
  readonly #length: Buffer = Buffer.alloc(lengthBytes)
  #lengthFilled = 0
  #body: Buffer | undefined
  #bodyFilled = 0
  #chunk: Buffer = Buffer.alloc(0)

  constructor(towards: D) {
    this.#towards = towards
  }

  /** What came and belongs to no message asked for yet. */
  get leftover(): Buffer {
    return this.#chunk
  }

  push(chunk: Buffer): void {
    this.#chunk = chunk
  }

  /** @throws PROTOCOL */
  next(): MessageTowards<D> | undefined {
    if (this.#body === undefined) {
      this.#lengthFilled += this.#take(this.#length, this.#lengthFilled)
      if (this.#lengthFilled < lengthBytes) return undefined
      const length = this.#length.readUInt32BE()
      const bytesMax = messageBytesMax[this.#towards]
      if (length < 1 || length > bytesMax) throw violation(`a message of ${length} bytes, where 1 to ${bytesMax} are allowed`)
      this.#body = Buffer.allocUnsafe(length)
      this.#bodyFilled = 0
    }
    this.#bodyFilled += this.#take(this.#body, this.#bodyFilled)
    if (this.#bodyFilled < this.#body.length) return undefined
    const body = this.#body
    this.#body = undefined
    this.#lengthFilled = 0
    return decodeMessage(body, this.#towards) as MessageTowards<D>
  }

  #take(target: Buffer, filled: number): number {
    const copied = this.#chunk.copy(target, filled)
    this.#chunk = this.#chunk.subarray(copied)
    return copied
  }
}

/**
 * The first message of a stream. What follows it stays in the stream, for whoever reads next.
 *
 * @throws PROTOCOL when it is no message, or the stream ends before it is whole; the stream's own error when that is destroyed.
 */
export function readMessage<D extends Direction>(stream: Duplex, towards: D): Promise<MessageTowards<D>> {
  const reader = new MessageReader(towards)
  return new Promise((resolve, reject) => {
    const settle = (how: () => void): void => {
      stream.off('readable', onReadable).off('end', onEnd).off('close', onClose)
      how()
    }
    const onReadable = (): void => {
      try {
        for (let chunk = readWaiting(stream); chunk !== null; chunk = readWaiting(stream)) {
          reader.push(chunk)
          const message = reader.next()
          if (message === undefined) continue
          if (reader.leftover.length > 0) stream.unshift(reader.leftover)
          settle(() => resolve(message))
          return
        }
      } catch (error) {
        settle(() => reject(error))
      }
    }
    const onEnd = (): void => settle(() => reject(violation('a stream that ends before its first message')))
    const onClose = (): void =>
      settle(() =>
        reject(stream.errored ?? new WarmcellError('GUEST_UNREACHABLE', 'The stream was reset before its first message.')),
      )
    stream.on('readable', onReadable).on('end', onEnd).on('close', onClose)
    if (stream.destroyed) onClose()
  })
}

/** Asking for exactly what waits leaves the news of the end to the next reader, who else would never hear of it. */
function readWaiting(stream: Duplex): Buffer | null {
  return stream.readableLength > 0 ? stream.read(stream.readableLength) : stream.read()
}
