/** What a guest sends on one stream, piece by piece: messages, and between them the bytes that they announce. */

import { WarmcellError } from '../../errors.ts'
import { type MuxStream, violation } from '../../mux/index.ts'
import type { Exchange } from '../exchange.ts'
import type { GuestMessage } from '../messages.ts'
import { MessageReader } from '../reader.ts'

/** Takes from the stream only what is asked for, so that the guest is held back by whoever asks. */
export class Incoming {
  readonly #exchange: Exchange
  readonly #stream: MuxStream
  readonly #onReset: () => WarmcellError
  readonly #reader = new MessageReader('host')
  readonly #chunks: AsyncIterator<Buffer>
  #inMessage = false

  /** `onReset` makes the error for a stream that the guest resets. */
  constructor(exchange: Exchange, stream: MuxStream, onReset: () => WarmcellError) {
    this.#exchange = exchange
    this.#stream = stream
    this.#onReset = onReset
    this.#chunks = stream.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>
  }

  /** The next message; undefined when the guest has ended the stream in order. @throws PROTOCOL, GUEST_UNREACHABLE, or what `onReset` makes. */
  async message(): Promise<GuestMessage | undefined> {
    for (;;) {
      this.#inMessage ||= this.#reader.leftover.length > 0
      const message = this.#obey(() => this.#reader.next())
      if (message !== undefined) {
        this.#inMessage = false
        return message
      }
      const chunk = await this.#take()
      if (chunk === undefined && this.#inMessage) throw this.#exchange.broken('a stream that ends within a message')
      if (chunk === undefined) return undefined
      this.#reader.push(chunk)
    }
  }

  /** The next `count` bytes. @throws as `message`; PROTOCOL also when the stream ends before them. */
  async *bytes(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0; ) {
      if (this.#reader.leftover.length === 0) {
        const chunk = await this.#take()
        if (chunk === undefined) throw this.#exchange.broken('the end of a stream within the bytes of a file')
        this.#reader.push(chunk)
      }
      const piece = this.#reader.leftover.subarray(0, left)
      this.#reader.push(this.#reader.leftover.subarray(piece.length))
      left -= piece.length
      yield piece
    }
  }

  /** The next bytes, as they come; undefined at the end. */
  async chunk(): Promise<Buffer | undefined> {
    const { leftover } = this.#reader
    if (leftover.length === 0) return this.#take()
    this.#reader.push(Buffer.alloc(0))
    return leftover
  }

  async #take(): Promise<Buffer | undefined> {
    try {
      const { done, value } = await this.#chunks.next()
      return done === true ? undefined : value
    } catch (cause) {
      const { errored } = this.#stream
      if (errored === null) throw new WarmcellError('GUEST_UNREACHABLE', 'The stream was given up on this side.', { cause })
      throw this.#exchange.over ? errored : this.#onReset()
    }
  }

  /** A guest that breaks a rule on one stream is not believed on any other. */
  #obey<T>(step: () => T): T {
    try {
      return step()
    } catch (error) {
      this.#exchange.session.destroy(WarmcellError.is(error) ? error : violation(String(error)))
      throw error
    }
  }
}
