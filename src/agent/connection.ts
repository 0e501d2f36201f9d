/** The conversation with one guest agent: typed calls over a session of streams. */

import type { Duplex } from 'node:stream'
import { type CallOptions, withDeadline } from '../common/deadline.ts'
import { WarmcellError } from '../errors.ts'
import { MuxSession, type MuxStream, violation } from '../mux/index.ts'
import { fileFailure, handshakeFailure, refusal } from './failure.ts'
import { encodeMessage, type GuestMessage, type HostMessage } from './messages.ts'
import type { GuestProcess, ProcessSpec } from './process.ts'
import { readMessage } from './reader.ts'
import { RemoteProcess } from './remote-process.ts'
import { Slots } from './slots.ts'
import { encodeStart } from './start.ts'

/** The generation of the wire this host speaks: protocol.md. */
export const protocolGeneration = 3

/** Each has three streams, of the 256 that the guest takes at once: room is left for files and what later parts add. */
export const processesAtOnceMax = 80

/** Files written at once. More are not faster: they share one pipe. */
const filesAtOnceMax = 8

/** What makes a microVM itself and no other clone of its template. */
export interface Identity {
  /** 32 to 256 bytes of the host's own random generator. */
  entropy: Uint8Array
  /** Since 1970, in nanoseconds. */
  wallClockNs: bigint
  hostname: string
  /** 32 hex digits. */
  machineId: string
  /** A number that no other clone has, so that a program in the guest can tell that it is in a new one; 0 before there are clones. */
  generationId: bigint
  /** It is going to be a template: what must differ between clones, such as the boot id, must not come into being yet. */
  template: boolean
}

export interface Welcome {
  agentVersion: string
  kernelRelease: string
  /** Empty in a template. */
  bootId: string
}

/** Owns the pipe to a guest agent. All calls reject at once when the connection ends; a guest that breaks the rules ends it. */
export class AgentConnection {
  /** Resolves, and never rejects, when the connection is over: with the reason, or with undefined when it was closed here. */
  readonly ended: Promise<WarmcellError | undefined>
  readonly #session: MuxSession
  readonly #processes: Slots = new Slots(processesAtOnceMax)
  readonly #files: Slots = new Slots(filesAtOnceMax)

  constructor(pipe: Duplex) {
    this.#session = new MuxSession(pipe, { role: 'client' })
    this.ended = this.#session.ended
    void this.ended.then((error) => {
      const reason = error ?? new WarmcellError('GUEST_UNREACHABLE', 'The connection to the guest was closed on this side.')
      this.#processes.close(reason)
      this.#files.close(reason)
    })
  }

  /**
   * Gives the guest its identity. Comes first: until then the guest does nothing else.
   *
   * @throws PROTOCOL when the agent speaks another generation; BOOT_FAILED when a step of it failed; GUEST_UNREACHABLE; TIMEOUT.
   */
  async handshake(identity: Identity, options: CallOptions = {}): Promise<Welcome> {
    const template = identity.template ? 1 : 0
    const hello: HostMessage = { type: 'Hello', generation: protocolGeneration, ...identity, template }
    const answer = await this.#request("The guest agent's handshake", hello, options)
    if (answer.type === 'Failed') throw handshakeFailure(answer)
    if (answer.type !== 'Welcome') throw this.#broken(`${answer.type} in answer to Hello`)
    const { generation, agentVersion, kernelRelease, bootId } = answer
    if (generation !== protocolGeneration) throw this.#broken(`generation ${generation}, where ${protocolGeneration} is spoken`)
    return { agentVersion, kernelRelease, bootId }
  }

  /**
   * Starts a process. While 80 run, further ones wait in line, first come first served. When the call ends early, by its signal or its
   * time, the process is killed if it had started.
   *
   * @throws SPAWN_FAILED, which says why and what to try; INVALID_ARGUMENT before anything is sent; GUEST_UNREACHABLE; PROTOCOL; TIMEOUT.
   */
  async start(spec: ProcessSpec, options: CallOptions = {}): Promise<GuestProcess> {
    const start = encodeStart(spec)
    return withDeadline(`The start of '${spec.arguments[0]}' in the guest`, options, async (signal) => {
      const release = await this.#processes.take(signal)
      return this.#orRelease(release, signal, () => {
        const process = new RemoteProcess(this.#session, spec, start, release)
        signal.addEventListener('abort', () => process.abandon(), { once: true })
        return process.started
      })
    })
  }

  /**
   * Writes a whole file, with its missing parents; it appears at once or not at all. `data` must not change until the call settles.
   *
   * @throws FILE (a FileError) with the guest's errno; INVALID_ARGUMENT; GUEST_UNREACHABLE; PROTOCOL; TIMEOUT.
   */
  async writeFile(path: string, data: Uint8Array, options: { mode: number; user: string } & CallOptions): Promise<void> {
    const message = encodeMessage({ type: 'WriteFile', path, mode: options.mode, user: options.user })
    const answer = await withDeadline(`The writing of '${path}' in the guest`, options, async (signal) => {
      const release = await this.#files.take(signal)
      return this.#orRelease(release, signal, () => {
        const stream = this.#session.open()
        stream.onReleased = release
        return this.#ask(stream, signal, () => {
          stream.write(message)
          stream.end(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
        })
      })
    })
    if (answer.type === 'Failed') throw fileFailure(path, answer)
    if (answer.type !== 'Written') throw this.#broken(`${answer.type} in answer to WriteFile`)
    if (answer.sizeBytes !== data.length) throw this.#broken(`${answer.sizeBytes} bytes written of ${data.length} sent`)
  }

  /**
   * Has the guest forget this session, so that clones of it can begin sessions of their own. Processes that run go on by themselves.
   * Nothing may be sent after it.
   *
   * @returns how many processes go on
   * @throws BOOT_FAILED when something is under way; GUEST_UNREACHABLE; PROTOCOL; TIMEOUT.
   */
  async quiesce(options: CallOptions = {}): Promise<number> {
    const answer = await this.#request('The quiescing of the guest', { type: 'Quiesce' }, options)
    if (answer.type === 'Failed') throw refusal('quiesce', answer)
    if (answer.type !== 'Quiesced') throw this.#broken(`${answer.type} in answer to Quiesce`)
    return answer.processes
  }

  /** Sets the guest's wall clock, in nanoseconds since 1970: a guest that waited may have fallen behind. @throws as `handshake`. */
  async setClock(wallClockNs: bigint, options: CallOptions = {}): Promise<void> {
    const answer = await this.#request('Setting the clock of the guest', { type: 'SetClock', wallClockNs }, options)
    if (answer.type === 'Failed') throw refusal('set its clock', answer)
    if (answer.type !== 'ClockSet') throw this.#broken(`${answer.type} in answer to SetClock`)
  }

  /** The round trip to the agent in milliseconds. @throws GUEST_UNREACHABLE; PROTOCOL; TIMEOUT. */
  ping(options: CallOptions = {}): Promise<number> {
    return this.#session.ping(options)
  }

  /** Ends everything at once. The guest powers off when it sees it. */
  close(): void {
    this.#session.destroy()
  }

  #request(what: string, message: HostMessage, options: CallOptions): Promise<GuestMessage> {
    const encoded = encodeMessage(message)
    return withDeadline(what, options, (signal) => this.#ask(this.#session.open(), signal, (stream) => stream.end(encoded)))
  }

  /** One message out, one message back, and the end of the stream, whatever happens. */
  async #ask(stream: MuxStream, signal: AbortSignal, send: (stream: MuxStream) => void): Promise<GuestMessage> {
    signal.addEventListener('abort', () => stream.reset(), { once: true })
    try {
      const answer = readMessage(stream, 'host')
      send(stream)
      const message = await answer
      if (stream.writableFinished) stream.resume()
      else stream.reset() // refused before all was sent
      return message
    } catch (error) {
      stream.reset()
      if (WarmcellError.is(error) && error.code === 'PROTOCOL') this.#session.destroy(error)
      throw error
    }
  }

  /** Uses a place in line; gives it back when that fails before a stream holds it. */
  #orRelease<T>(release: () => void, signal: AbortSignal, use: () => T): T {
    try {
      signal.throwIfAborted()
      return use()
    } catch (error) {
      release()
      throw error
    }
  }

  /** The guest broke a rule: it is not believed any more. */
  #broken(what: string): WarmcellError {
    const error = violation(what)
    this.#session.destroy(error)
    return error
  }
}
