/** The conversation about one process on its control stream, as states. */

import { type Deferred, deferred } from '../common/deferred.ts'
import { WarmcellError } from '../errors.ts'
import { type MuxStream, violation } from '../mux/index.ts'
import { encodeMessage } from './codec.ts'
import { spawnFailure } from './failure.ts'
import type { GuestMessage } from './messages.ts'
import type { GuestExit, ProcessSpec } from './process.ts'
import { MessageReader } from './reader.ts'

type State =
  | { tag: 'starting' }
  | { tag: 'running'; pid: number; signals: Array<Deferred<boolean>> }
  | { tag: 'ended'; pid: number }

/** Who has to hear, in the same turn, before anybody who waits. */
export interface ControlListener {
  /** The process has ended in order: what is printed is still to be read. */
  onExited(): void
  /** It was never started, or nothing more will be heard of it. */
  onLost(): void
  /** The guest broke a rule: it is not believed on any other stream either. */
  onViolation(error: WarmcellError): void
}

export class ControlStream {
  /** Settles with the guest's first answer. */
  readonly started: Promise<void>
  readonly exited: Promise<GuestExit>

  readonly #stream: MuxStream
  readonly #spec: ProcessSpec
  readonly #listener: ControlListener
  readonly #reader: MessageReader<'host'> = new MessageReader('host')
  readonly #started: Deferred<void> = deferred()
  readonly #exited: Deferred<GuestExit> = deferred()
  #state: State = { tag: 'starting' }

  /** @param start the encoded Start message */
  constructor(stream: MuxStream, spec: ProcessSpec, start: Buffer, listener: ControlListener) {
    this.#stream = stream
    this.#spec = spec
    this.#listener = listener
    this.started = this.#started.promise
    this.exited = this.#exited.promise
    stream.write(start)
    stream.on('data', (chunk: Buffer) => this.#obey(() => this.#onData(chunk)))
    stream.on('end', () => this.#obey(() => this.#onEnd()))
    stream.on('close', () => this.#fail(stream.errored ?? lost('The process was abandoned.')))
  }

  /** 0 until it has started. */
  get pid(): number {
    return this.#state.tag === 'starting' ? 0 : this.#state.pid
  }

  get ended(): boolean {
    return this.#state.tag === 'ended'
  }

  async signal(number: number): Promise<boolean> {
    const message = encodeMessage({ type: 'Signal', signal: number })
    if (this.#state.tag !== 'running') return false
    const answer = deferred<boolean>()
    this.#state.signals.push(answer)
    this.#stream.write(message)
    return answer.promise
  }

  terminate(graceMs: number): void {
    this.#say(encodeMessage({ type: 'Terminate', graceMs: Math.ceil(graceMs) }))
  }

  resize(columns: number, rows: number): void {
    this.#say(encodeMessage({ type: 'Resize', columns, rows }))
  }

  reset(): void {
    this.#stream.reset()
  }

  #say(message: Buffer): void {
    if (this.#state.tag === 'running') this.#stream.write(message)
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
    this.#started.resolve()
  }

  #enterEnded(
    state: State & { tag: 'running' },
    { exitCode, signal, oomKilled }: Extract<GuestMessage, { type: 'Exited' }>,
  ): void {
    this.#state = { tag: 'ended', pid: state.pid }
    for (const answer of state.signals) answer.resolve(false)
    this.#stream.end()
    this.#listener.onExited()
    this.#exited.resolve({ exitCode, signal, oomKilled: oomKilled === 1 })
  }

  /** It was never started: the guest has nothing to attach the channels to. */
  #refuse(reason: WarmcellError): void {
    this.#state = { tag: 'ended', pid: 0 }
    this.#stream.end()
    this.#listener.onLost()
    this.#started.reject(reason)
    this.#exited.reject(reason)
  }

  #onEnd(): void {
    if (this.#state.tag !== 'ended') throw violation(`the end of its stream for a process that is ${this.#state.tag}`)
  }

  /** The stream is gone, in order or not. After the end that is as it should be. */
  #fail(reason: Error): void {
    const state = this.#state
    if (state.tag === 'ended') return
    this.#state = { tag: 'ended', pid: this.pid }
    if (state.tag === 'running') for (const answer of state.signals) answer.reject(reason)
    this.#listener.onLost()
    this.#started.reject(reason)
    this.#exited.reject(reason)
  }

  #obey(step: () => void): void {
    try {
      step()
    } catch (error) {
      if (!WarmcellError.is(error)) throw error
      this.#listener.onViolation(error)
    }
  }
}

function lost(message: string): WarmcellError {
  return new WarmcellError('GUEST_UNREACHABLE', message, { retryable: false })
}
