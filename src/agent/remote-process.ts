/** A process of the guest by its three streams: the conversation on the control stream, as states. */

import type { Readable, Writable } from 'node:stream'
import { type Deferred, deferred } from '../common/deferred.ts'
import { WarmcellError } from '../errors.ts'
import { type MuxSession, type MuxStream, violation } from '../mux/index.ts'
import { spawnFailure } from './failure.ts'
import { encodeMessage, type GuestMessage } from './messages.ts'
import type { GuestExit, GuestProcess, ProcessSpec } from './process.ts'
import { MessageReader } from './reader.ts'
import { channelWriter } from './stdin.ts'

type State =
  | { tag: 'starting' }
  | { tag: 'running'; pid: number; signals: Array<Deferred<boolean>> }
  | { tag: 'ended'; pid: number }

const channel = { stdio: 1, stderr: 2 } as const

export class RemoteProcess implements GuestProcess {
  /** Settles with the guest's first answer. */
  readonly started: Promise<GuestProcess>
  readonly exited: Promise<GuestExit>

  readonly #spec: ProcessSpec
  readonly #session: MuxSession
  readonly #control: MuxStream
  readonly #stdio: MuxStream
  readonly #stderr: MuxStream
  readonly #reader: MessageReader<'host'> = new MessageReader('host')
  readonly #started: Deferred<GuestProcess> = deferred()
  readonly #exited: Deferred<GuestExit> = deferred()
  #stdin: Writable | undefined
  #state: State = { tag: 'starting' }

  /**
   * Opens the three streams in one tick, so that they leave in one write.
   *
   * @param start the encoded Start message
   * @param onReleased called once, when the three streams have ended and their places are free
   */
  constructor(session: MuxSession, spec: ProcessSpec, start: Buffer, onReleased: () => void) {
    this.#spec = spec
    this.#session = session
    this.started = this.#started.promise
    this.exited = this.#exited.promise
    this.#control = session.open()
    this.#stdio = session.open()
    this.#stderr = session.open()
    let alive = 3
    for (const stream of [this.#control, this.#stdio, this.#stderr]) {
      stream.onReleased = () => {
        alive--
        if (alive === 0) onReleased()
      }
    }
    this.#control.write(start)
    this.#stdio.write(encodeMessage({ type: 'Attach', process: this.#control.id, channel: channel.stdio }))
    if (spec.stdin === 'closed') this.#stdio.end()
    this.#stderr.end(encodeMessage({ type: 'Attach', process: this.#control.id, channel: channel.stderr }))
    this.#control.on('data', (chunk: Buffer) => this.#obey(() => this.#onData(chunk)))
    this.#control.on('end', () => this.#obey(() => this.#onEnd()))
    this.#control.on('close', () => this.#fail(this.#control.errored ?? lost('The process was abandoned.')))
  }

  get pid(): number {
    return this.#state.tag === 'starting' ? 0 : this.#state.pid
  }

  get stdin(): Writable {
    if (this.#stdin === undefined) {
      this.#stdin = channelWriter(this.#stdio)
      if (this.#state.tag === 'ended') this.#stdin.destroy()
    }
    return this.#stdin
  }

  get stdout(): Readable {
    return this.#stdio
  }

  get stderr(): Readable {
    return this.#stderr
  }

  async signal(number: number): Promise<boolean> {
    const message = encodeMessage({ type: 'Signal', signal: number })
    if (this.#state.tag !== 'running') return false
    const answer = deferred<boolean>()
    this.#state.signals.push(answer)
    this.#control.write(message)
    return answer.promise
  }

  terminate(graceMs: number): void {
    const message = encodeMessage({ type: 'Terminate', graceMs: Math.ceil(graceMs) })
    if (this.#state.tag === 'running') this.#control.write(message)
  }

  abandon(): void {
    this.#control.reset()
    this.#stdio.reset()
    this.#stderr.reset()
  }

  #onData(chunk: Buffer): void {
    this.#reader.push(chunk)
    for (let message = this.#reader.next(); message !== undefined; message = this.#reader.next()) this.#onMessage(message)
  }

  #onMessage(message: GuestMessage): void {
    const state = this.#state
    if (state.tag === 'starting' && message.type === 'Started') this.#enterRunning(message.pid)
    else if (state.tag === 'starting' && message.type === 'Failed') this.#refuse(spawnFailure(this.#spec, message))
    else if (state.tag === 'running' && message.type === 'Exited') this.#enterEnded(state, message)
    else if (state.tag === 'running' && message.type === 'Signalled' && state.signals.length > 0) {
      state.signals.shift()?.resolve(message.delivered === 1)
    } else throw violation(`${message.type} for a process that is ${state.tag}`)
  }

  #enterRunning(pid: number): void {
    this.#state = { tag: 'running', pid, signals: [] }
    this.#started.resolve(this)
  }

  #enterEnded(
    state: State & { tag: 'running' },
    { exitCode, signal, oomKilled }: Extract<GuestMessage, { type: 'Exited' }>,
  ): void {
    this.#state = { tag: 'ended', pid: state.pid }
    for (const answer of state.signals) answer.resolve(false)
    this.#control.end()
    // Nobody reads stdin any more: what waits for credit must not keep the stream alive.
    this.#stdio.discardWrites()
    this.#stdin?.destroy()
    this.#exited.resolve({ exitCode, signal, oomKilled: oomKilled === 1 })
  }

  /** It was never started: the guest has nothing to attach the channels to. */
  #refuse(reason: WarmcellError): void {
    this.#state = { tag: 'ended', pid: 0 }
    this.#control.end()
    this.#stdio.reset()
    this.#stderr.reset()
    this.#started.reject(reason)
    this.#exited.reject(reason)
  }

  #onEnd(): void {
    if (this.#state.tag !== 'ended') throw violation(`the end of its stream for a process that is ${this.#state.tag}`)
  }

  /** The control stream is gone, in order or not. After the end that is as it should be. */
  #fail(reason: Error): void {
    const state = this.#state
    if (state.tag === 'ended') return
    this.#state = { tag: 'ended', pid: this.pid }
    if (state.tag === 'running') for (const answer of state.signals) answer.reject(reason)
    this.#stdio.reset()
    this.#stderr.reset()
    this.#stdin?.destroy()
    this.#started.reject(reason)
    this.#exited.reject(reason)
  }

  /** A guest that breaks the rules on one stream is not believed on any other. */
  #obey(step: () => void): void {
    try {
      step()
    } catch (error) {
      if (!WarmcellError.is(error)) throw error
      this.#session.destroy(error)
    }
  }
}

function lost(message: string): WarmcellError {
  return new WarmcellError('GUEST_UNREACHABLE', message, { retryable: false })
}
