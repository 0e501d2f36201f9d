/** The conversation about ports: protocol.md, chapter 3.4. */

import type { Duplex } from 'node:stream'
import { type CallOptions, withDeadline } from '../common/deadline.ts'
import { encodeMessage } from './codec.ts'
import type { Exchange } from './exchange.ts'
import { connectFailure } from './failure.ts'

/** What a connection that was made ahead must not show before it is taken. */
const signsOfLife = ['data', 'end', 'close'] as const

/** What listens in one guest. While 128 connections and waits are under way, further ones wait in line, first come first served. */
export class GuestPorts {
  readonly #exchange: Exchange
  /** By port: made before anybody wanted one. */
  readonly #ahead = new Map<number, { readonly stream: Duplex; readonly giveUp: () => void }>()

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /**
   * A connection to what listens on the port: the stream itself, from its first byte on. Destroying it resets the connection, and it is destroyed with an error when
   * the guest resets it.
   *
   * @throws CONNECT (a ConnectError) with the guest's errno; INVALID_ARGUMENT; GUEST_UNREACHABLE; PROTOCOL; TIMEOUT; the signal's reason.
   */
  async connect(port: number, options: CallOptions = {}): Promise<Duplex> {
    const message = encodeMessage({ type: 'Connect', port })
    return withDeadline(`The connection to port ${port} of the guest`, options, async (signal) => {
      const stream = await this.#exchange.stream('connections', signal)
      const answer = this.#exchange.answer(stream)
      stream.write(message)
      const reply = await answer
      if (reply.type === 'Done') return stream
      stream.reset()
      if (reply.type === 'Failed') throw connectFailure(port, reply)
      throw this.#exchange.broken(`${reply.type} in answer to Connect`)
    })
  }

  /**
   * Makes a connection for whoever wants the next one of {@link takeAhead}. Only for what says nothing before it is asked: one that speaks first, or ends, is given up.
   *
   * @throws as `connect`.
   */
  async connectAhead(port: number, options: CallOptions = {}): Promise<void> {
    const stream = await this.connect(port, options)
    const giveUp = (): void => {
      if (this.#ahead.get(port)?.stream === stream) this.#ahead.delete(port)
      stream.destroy()
    }
    this.#ahead.get(port)?.giveUp()
    this.#ahead.set(port, { stream, giveUp })
    for (const event of signsOfLife) stream.on(event, giveUp)
  }

  /** The connection that was made ahead, as `connect` returns it: once, and only as long as it is good. */
  takeAhead(port: number): Duplex | undefined {
    const ahead = this.#ahead.get(port)
    if (ahead === undefined) return undefined
    const { stream, giveUp } = ahead
    this.#ahead.delete(port)
    for (const event of signsOfLife) stream.off(event, giveUp)
    return stream.pause()
  }

  /** Resolves when something listens on the port. @throws as `connect`; nothing that listens is no failure. */
  async await(port: number, options: CallOptions = {}): Promise<void> {
    const what = `Waiting for port ${port} of the guest`
    const answer = await this.#exchange.request(what, { type: 'AwaitPort', port }, options, 'connections')
    if (answer.type === 'Failed') throw connectFailure(port, answer)
    if (answer.type !== 'Done') throw this.#exchange.broken(`${answer.type} in answer to AwaitPort`)
  }
}
