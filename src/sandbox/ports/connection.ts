/** One connection to a port of the guest as its caller has it: errors are warmcell's own, and bytes are activity. */

import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { attributed, ConnectError } from '../../errors.ts'
import type { SandboxContext } from '../context.ts'
import { SocketLike } from './socket-like.ts'

/** What waits here, each way, beside the window of the stream below: one frame. */
const bufferBytesMax = 65_536

type Callback = (error?: Error | null) => void

/** Data that came early waits in `stream`: nothing is lost, whenever the caller begins to read. */
export class PortConnection extends SocketLike {
  readonly #port: number
  readonly #stream: Duplex
  readonly #context: SandboxContext
  /** What the writer waits for: a write or the end that the stream has not taken yet. */
  #held: Callback | undefined

  constructor(port: number, stream: Duplex, context: SandboxContext) {
    super({ allowHalfOpen: true, readableHighWaterMark: bufferBytesMax, writableHighWaterMark: bufferBytesMax })
    this.#port = port
    this.#stream = stream
    this.#context = context
    // The guest can break it off at any moment: that must never become an uncaught exception of the host's process.
    this.on('error', () => {})
    stream
      .on('data', (chunk: Buffer) => {
        this.#touch()
        if (!this.push(chunk)) stream.pause()
      })
      .on('end', () => this.push(null))
      .on('close', () => void this.#onClose())
    if (stream.destroyed) void this.#onClose()
  }

  override _read(): void {
    this.#stream.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Callback): void {
    this.#touch()
    this.#held = done
    this.#stream.write(chunk, (error) => this.#release(error))
  }

  override _final(done: Callback): void {
    this.#held = done
    this.#stream.end(() => this.#release())
  }

  override _destroy(error: Error | null, done: Callback): void {
    this.stopTimeout()
    this.#stream.destroy()
    const held = this.#held
    this.#held = undefined
    held?.(error ?? this.#broken('was destroyed before all was sent'))
    done(error)
  }

  #touch(): void {
    this.passed()
    this.#context.touch()
  }

  /** With an error the stream closes, and what that means is said there. */
  #release(error?: Error | null): void {
    if (error) return
    const held = this.#held
    this.#held = undefined
    held?.()
  }

  async #onClose(): Promise<void> {
    const { errored } = this.#stream
    if (errored === null || this.destroyed) return
    // Where all connections to the guest have ended, that is heard of in this turn.
    const { connection, explain, id } = this.#context
    const over = await Promise.race([connection.ended.then(() => true), nextTurn(false)])
    this.destroy(over ? ((await explain(errored)) as Error) : attributed(this.#broken('was reset by the guest'), id))
  }

  #broken(how: string): ConnectError {
    return new ConnectError(this.#port, 'ECONNRESET', `The connection to port ${this.#port} of the guest ${how}.`)
  }
}
