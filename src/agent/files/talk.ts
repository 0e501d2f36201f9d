/** How every request about files goes: its first message, what follows it, its answer, and the refusal in words. */

import { type CallOptions, withDeadline } from '../../common/deadline.ts'
import type { WarmcellError } from '../../errors.ts'
import type { MuxStream } from '../../mux/index.ts'
import { encodeMessage } from '../codec.ts'
import type { Exchange } from '../exchange.ts'
import type { GuestMessage, HostMessage } from '../messages.ts'
import { brokenOff, type Deed, fileFailure, type Place } from './failure.ts'
import { Incoming } from './incoming.ts'
import { Sending, type Source } from './sending.ts'

/** A stream on which a request was made, and what comes back on it. */
interface Open {
  readonly stream: MuxStream
  readonly incoming: Incoming
}

export class FileTalk {
  readonly exchange: Exchange

  constructor(exchange: Exchange) {
    this.exchange = exchange
  }

  /** The guest broke a rule. Returns the error to throw. */
  broken(what: string): WarmcellError {
    return this.exchange.broken(what)
  }

  /** One message out, then a source, and one message back: as early as the guest likes. */
  async send(place: Place, deed: Deed, opening: HostMessage, source: Source, options: CallOptions): Promise<void> {
    const encoded = encodeMessage(opening)
    await withDeadline(`The request that '${place.path}' be ${deed} in the guest`, options, async (signal) => {
      const stream = await this.exchange.stream('writes', signal)
      const sending = new Sending(stream, source)
      stream.write(encoded)
      const answering = this.exchange.answer(stream)
      answering.then(
        () => sending.stop(),
        () => sending.stop(),
      )
      try {
        await sending.run()
      } catch (error) {
        // The caller's own source has failed: the guest leaves nothing of it.
        stream.reset()
        throw error
      }
      const answer = await answering
      if (answer.type === 'Failed') throw this.refused(stream, fileFailure(place, deed, answer))
      if (answer.type !== 'Written') throw this.exchange.broken(`${answer.type} in answer to ${opening.type}`)
      if (!sending.ended) throw this.exchange.broken('Written before all was sent')
      if (opening.type === 'WriteFile' && answer.sizeBytes !== sending.sentBytes)
        throw this.exchange.broken(`${answer.sizeBytes} bytes written of ${sending.sentBytes} sent`)
      stream.resume()
    })
  }

  /** A request whose answer is more than one message. */
  async open(place: Place, deed: Deed, kind: 'reads' | 'watches', opening: HostMessage, signal: AbortSignal): Promise<Open> {
    const encoded = encodeMessage(opening)
    const stream = await this.exchange.stream(kind, signal)
    stream.write(encoded)
    return { stream, incoming: new Incoming(this.exchange, stream, () => brokenOff(place, deed)) }
  }

  /** The first message, which has to be there. */
  async answer(stream: MuxStream, incoming: Incoming, place: Place, deed: Deed): Promise<GuestMessage> {
    const answer = await incoming.message()
    if (answer === undefined) throw this.exchange.broken('a stream that ends before its first message')
    if (answer.type === 'Failed') throw this.refused(stream, fileFailure(place, deed, answer))
    return answer
  }

  /** One message out, and one back that is no refusal. */
  async request(place: Place, deed: Deed, message: HostMessage, options: CallOptions): Promise<GuestMessage> {
    const answer = await this.exchange.request(`The request that '${place.path}' be ${deed} in the guest`, message, options)
    if (answer.type === 'Failed') throw fileFailure(place, deed, answer)
    return answer
  }

  /** One message out, and `Done` back. */
  async done(place: Place, deed: Deed, message: HostMessage, options: CallOptions): Promise<void> {
    const answer = await this.request(place, deed, message, options)
    if (answer.type !== 'Done') throw this.exchange.broken(`${answer.type} in answer to ${message.type}`)
  }

  /** The stream has no more to say: its place is given back. */
  refused<E extends WarmcellError>(stream: MuxStream, error: E): E {
    stream.reset()
    return error
  }
}
