/** A process of the guest by its streams: control and stdio, and stderr where it has no terminal. */

import { Readable, type Writable } from 'node:stream'
import type { MuxSession, MuxStream } from '../mux/index.ts'
import { encodeMessage } from './codec.ts'
import { ControlStream } from './control.ts'
import type { GuestExit, GuestProcess, ProcessSpec } from './process.ts'
import { channelWriter } from './stdin.ts'

const channel = { stdio: 1, stderr: 2 } as const

export class RemoteProcess implements GuestProcess {
  /** Settles with the guest's first answer. */
  readonly started: Promise<GuestProcess>
  readonly exited: Promise<GuestExit>

  readonly #control: ControlStream
  readonly #stdio: MuxStream
  /** What a terminal prints is one stream. */
  readonly #stderr: MuxStream | undefined
  #stdin: Writable | undefined
  #noStderr: Readable | undefined

  /**
   * Opens the streams in one tick, so that they leave in one write.
   *
   * @param start the encoded Start message
   * @param onReleased called once, when all streams have ended and their places are free
   */
  constructor(session: MuxSession, spec: ProcessSpec, start: Buffer, onReleased: () => void) {
    const control = session.open()
    this.#stdio = session.open()
    if (spec.terminal === undefined) this.#stderr = session.open()
    const streams = [control, ...this.#channels()]
    let alive = streams.length
    for (const stream of streams) {
      stream.onReleased = () => {
        alive--
        if (alive === 0) onReleased()
      }
    }
    this.#control = new ControlStream(control, spec, start, {
      onExited: () => this.#endInput(),
      onLost: () => this.#resetChannels(),
      onViolation: (error) => session.destroy(error),
    })
    this.#stdio.write(encodeMessage({ type: 'Attach', process: control.id, channel: channel.stdio }))
    if (spec.stdin === 'closed' && spec.terminal === undefined) this.#stdio.end()
    this.#stderr?.end(encodeMessage({ type: 'Attach', process: control.id, channel: channel.stderr }))
    this.started = this.#control.started.then(() => this)
    this.started.catch(() => {})
    this.exited = this.#control.exited
  }

  get pid(): number {
    return this.#control.pid
  }

  get stdin(): Writable {
    if (this.#stdin === undefined) {
      this.#stdin = channelWriter(this.#stdio)
      if (this.#control.ended) this.#stdin.destroy()
    }
    return this.#stdin
  }

  get stdout(): Readable {
    return this.#stdio
  }

  get stderr(): Readable {
    if (this.#stderr !== undefined) return this.#stderr
    this.#noStderr ??= Readable.from([])
    return this.#noStderr
  }

  signal(number: number): Promise<boolean> {
    return this.#control.signal(number)
  }

  terminate(graceMs: number): void {
    this.#control.terminate(graceMs)
  }

  resize(columns: number, rows: number): void {
    this.#control.resize(columns, rows)
  }

  abandon(): void {
    this.#control.reset()
    for (const stream of this.#channels()) stream.reset()
  }

  /** Nobody reads stdin any more: what waits for credit must not keep the stream alive. */
  #endInput(): void {
    this.#stdio.discardWrites()
    this.#stdin?.destroy()
  }

  #resetChannels(): void {
    for (const stream of this.#channels()) stream.reset()
    this.#stdin?.destroy()
  }

  #channels(): MuxStream[] {
    return this.#stderr === undefined ? [this.#stdio] : [this.#stdio, this.#stderr]
  }
}
