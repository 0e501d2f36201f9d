/** What listens in a fake guest: protocol.md, chapter 3.4. */

import type { Duplex } from 'node:stream'
import { encodeMessage } from '../agent/index.ts'
import { refuse } from './answer.ts'

/** Takes the connections that are made to a port. */
export type FakeServer = (connection: Duplex) => void

export class FakePorts {
  readonly #servers = new Map<number, FakeServer>()
  readonly #waiting = new Set<{ port: number; tell: () => void }>()
  readonly #connections = new Set<Duplex>()

  /** How many connections are open. */
  get connections(): number {
    return this.#connections.size
  }

  /**
   * Until the signal fires, when its connections are reset as well. Returns what stops the listening alone.
   *
   * @throws with the code `EADDRINUSE` when another does already.
   */
  listen(port: number, server: FakeServer, ended: AbortSignal): () => void {
    ended.throwIfAborted()
    if (this.#servers.has(port))
      throw Object.assign(new Error(`listen EADDRINUSE: port ${port} of the fake guest`), { code: 'EADDRINUSE' })
    const accepted = new Set<Duplex>()
    const accept: FakeServer = (connection) => {
      accepted.add(connection)
      connection.once('close', () => accepted.delete(connection))
      server(connection)
    }
    const stop = (): void => {
      if (this.#servers.get(port) === accept) this.#servers.delete(port)
    }
    this.#servers.set(port, accept)
    const end = (): void => {
      stop()
      for (const connection of accepted) connection.destroy()
    }
    ended.addEventListener('abort', end, { once: true })
    for (const waiter of this.#waiting) if (waiter.port === port) waiter.tell()
    return stop
  }

  /** The stream is the connection, once it is answered. */
  connect(port: number, stream: Duplex): void {
    const server = this.#servers.get(port)
    if (server === undefined) {
      refuse(stream, 'ECONNREFUSED', 'connect', 'Connection refused')
      return
    }
    this.#connections.add(stream)
    stream.once('close', () => this.#connections.delete(stream))
    stream.write(encodeMessage({ type: 'Done' }))
    server(stream)
  }

  await(port: number, stream: Duplex): void {
    const tell = (): void => {
      this.#waiting.delete(waiter)
      stream.end(encodeMessage({ type: 'Done' }))
    }
    const waiter = { port, tell }
    stream.once('close', () => this.#waiting.delete(waiter))
    stream.resume()
    if (this.#servers.has(port)) tell()
    else this.#waiting.add(waiter)
  }
}
