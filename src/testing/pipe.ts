/** Two ends of a pipe in this process that behave like a socket pair: asynchronous, ordered, bounded. */

import { Duplex } from 'node:stream'

/** What one read of a socket gives at most. */
const readBytesMax = 65_536

/** What may wait unread at one end before the writer at the other is held back: about what a socket holds. */
const bufferBytes = 65_536

/** Each end owns itself; destroying one is a hang-up that the other sees as the end of its input. */
export function pipePair(): [Duplex, Duplex] {
  const [one, other] = [new PipeEnd(), new PipeEnd()]
  one.peer = other
  other.peer = one
  return [one, other]
}

type Callback = (error?: Error | null) => void

class PipeEnd extends Duplex {
  peer!: PipeEnd
  /** The peer's write that waits until this end is read. */
  #heldWrite: Callback | undefined
  #ended = false

  constructor() {
    super({ allowHalfOpen: false, readableHighWaterMark: bufferBytes, writableHighWaterMark: bufferBytes })
  }

  override _read(): void {
    this.#releaseWrite()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Callback): void {
    this.#send(Buffer.from(chunk), done)
  }

  override _writev(chunks: Array<{ chunk: Buffer }>, done: Callback): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done)
  }

  override _final(done: Callback): void {
    setImmediate(() => {
      this.peer.#end()
      done()
    })
  }

  override _destroy(error: Error | null, done: Callback): void {
    this.#releaseWrite()
    setImmediate(() => this.peer.#end())
    done(error)
  }

  /** `bytes` is a copy: as with a socket, the writer may use its buffer again. It arrives in a later turn of the event loop. */
  #send(bytes: Buffer, done: Callback): void {
    setImmediate(() => this.peer.#receive(bytes, done))
  }

  #receive(bytes: Buffer, done: Callback): void {
    if (this.destroyed) {
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
      return
    }
    let more = true
    for (let at = 0; at < bytes.length; at += readBytesMax) more = this.push(bytes.subarray(at, at + readBytesMax))
    if (more) done()
    else this.#heldWrite = done
  }

  #end(): void {
    if (this.#ended || this.destroyed) return
    this.#ended = true
    this.push(null)
  }

  #releaseWrite(): void {
    const done = this.#heldWrite
    this.#heldWrite = undefined
    done?.()
  }
}
