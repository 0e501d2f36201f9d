/** Asking a guest: a place taken, a stream opened, the first message out and the first one back. */

import { type CallOptions, withDeadline } from '../common/deadline.ts'
import { WarmcellError } from '../errors.ts'
import { type MuxSession, type MuxStream, violation } from '../mux/index.ts'
import { encodeMessage } from './codec.ts'
import type { GuestMessage, HostMessage } from './messages.ts'
import { type Kind, Places } from './places.ts'
import { readMessage } from './reader.ts'

/** What every kind of conversation with one guest is made of. A guest that breaks a rule on one stream is not believed on any other. */
export class Exchange {
  readonly session: MuxSession
  readonly #places = new Places()
  #over = false

  constructor(session: MuxSession) {
    this.session = session
    void session.ended.then((error) => {
      this.#over = true
      this.#places.close(error ?? new WarmcellError('GUEST_UNREACHABLE', 'The connection to the guest was closed on this side.'))
    })
  }

  /** Whether the session has ended: a stream that breaks while it has not was broken by the guest alone. */
  get over(): boolean {
    return this.#over
  }

  /** One message out, one message back, and the end of the stream, whatever happens. `what` names it in errors. */
  request(what: string, message: HostMessage, options: CallOptions, kind: Kind = 'requests'): Promise<GuestMessage> {
    const encoded = encodeMessage(message)
    return withDeadline(what, options, async (signal) => {
      const stream = await this.stream(kind, signal)
      return this.ask(stream, () => stream.end(encoded))
    })
  }

  /** A stream in its place, which is given back when both its directions have ended. The signal resets it. */
  async stream(kind: Kind, signal: AbortSignal): Promise<MuxStream> {
    return this.place(kind, signal, (release) => {
      const stream = this.session.open()
      stream.onReleased = release
      signal.addEventListener('abort', () => stream.reset(), { once: true })
      return stream
    })
  }

  /** A place for what takes more than one stream: `use` has to see to it that the place is given back; if it throws, it is. */
  async place<T>(kind: Kind, signal: AbortSignal, use: (release: () => void) => T): Promise<T> {
    const release = await this.#places.take(kind, signal)
    try {
      signal.throwIfAborted()
      return use(release)
    } catch (error) {
      release()
      throw error
    }
  }

  /** Sends, and reads the one answer that ends the stream. */
  async ask(stream: MuxStream, send: () => void): Promise<GuestMessage> {
    const answer = this.answer(stream)
    send()
    const message = await answer
    if (stream.writableFinished) stream.resume()
    else stream.reset() // refused before all was sent
    return message
  }

  /** The next message on a stream, which goes on. When there is none, the stream is reset. */
  async answer(stream: MuxStream): Promise<GuestMessage> {
    try {
      return await readMessage(stream, 'host')
    } catch (error) {
      stream.reset()
      if (WarmcellError.is(error) && error.code === 'PROTOCOL') this.session.destroy(error)
      throw error
    }
  }

  /** The guest broke a rule: it is not believed any more. Returns the error to throw. */
  broken(what: string): WarmcellError {
    const error = violation(what)
    this.session.destroy(error)
    return error
  }
}
