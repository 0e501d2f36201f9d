/** The conversation with one guest agent: typed calls over a session of streams. */

import type { Duplex } from 'node:stream'
import { type CallOptions, withDeadline } from '../common/deadline.ts'
import type { WarmcellError } from '../errors.ts'
import { MuxSession } from '../mux/index.ts'
import { Exchange } from './exchange.ts'
import { handshakeFailure, refusal } from './failure.ts'
import { GuestFiles } from './files/files.ts'
import { GuestLimits } from './limits.ts'
import type { HostMessage } from './messages.ts'
import { GuestPorts } from './ports.ts'
import type { GuestProcess, ProcessSpec } from './process.ts'
import { RemoteProcess } from './remote-process.ts'
import { encodeStart } from './start.ts'

/** The generation of the wire this host speaks: protocol.md. */
export const protocolGeneration = 3

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
  readonly files: GuestFiles
  readonly ports: GuestPorts
  readonly limits: GuestLimits
  readonly #session: MuxSession
  readonly #exchange: Exchange

  constructor(pipe: Duplex) {
    this.#session = new MuxSession(pipe, { role: 'client' })
    this.ended = this.#session.ended
    this.#exchange = new Exchange(this.#session)
    this.files = new GuestFiles(this.#exchange)
    this.ports = new GuestPorts(this.#exchange)
    this.limits = new GuestLimits(this.#exchange)
  }

  /**
   * Gives the guest its identity. Comes first: until then the guest does nothing else.
   *
   * @throws PROTOCOL when the agent speaks another generation; BOOT_FAILED when a step of it failed; GUEST_UNREACHABLE; TIMEOUT.
   */
  async handshake(identity: Identity, options: CallOptions = {}): Promise<Welcome> {
    const template = identity.template ? 1 : 0
    const hello: HostMessage = { type: 'Hello', generation: protocolGeneration, ...identity, template }
    const answer = await this.#exchange.request("The guest agent's handshake", hello, options)
    if (answer.type === 'Failed') throw handshakeFailure(answer)
    if (answer.type !== 'Welcome') throw this.#exchange.broken(`${answer.type} in answer to Hello`)
    const { generation, agentVersion, kernelRelease, bootId } = answer
    if (generation !== protocolGeneration)
      throw this.#exchange.broken(`generation ${generation}, where ${protocolGeneration} is spoken`)
    return { agentVersion, kernelRelease, bootId }
  }

  /**
   * Starts a process. While 80 run, or 32 at terminals, further ones of that kind wait in line, first come first served. When the call
   * ends early, by its signal or its time, the process is killed if it had started.
   *
   * @throws SPAWN_FAILED, which says why and what to try; INVALID_ARGUMENT before anything is sent; GUEST_UNREACHABLE; PROTOCOL; TIMEOUT.
   */
  async start(spec: ProcessSpec, options: CallOptions = {}): Promise<GuestProcess> {
    const start = encodeStart(spec)
    return withDeadline(`The start of '${spec.arguments[0]}' in the guest`, options, (signal) =>
      this.#exchange
        .place(spec.terminal === undefined ? 'processes' : 'terminals', signal, (release) => {
          const process = new RemoteProcess(this.#session, spec, start, release)
          signal.addEventListener('abort', () => process.abandon(), { once: true })
          return process
        })
        .then((process) => process.started),
    )
  }

  /**
   * Has the guest forget this session, so that clones of it can begin sessions of their own. Processes that run go on by themselves.
   * Nothing may be sent after it.
   *
   * @returns how many processes go on
   * @throws BOOT_FAILED when something is under way; GUEST_UNREACHABLE; PROTOCOL; TIMEOUT.
   */
  async quiesce(options: CallOptions = {}): Promise<number> {
    const answer = await this.#exchange.request('The quiescing of the guest', { type: 'Quiesce' }, options)
    if (answer.type === 'Failed') throw refusal('quiesce', answer)
    if (answer.type !== 'Quiesced') throw this.#exchange.broken(`${answer.type} in answer to Quiesce`)
    return answer.processes
  }

  /** Sets the guest's wall clock, in nanoseconds since 1970: a guest that waited may have fallen behind. @throws as `handshake`. */
  async setClock(wallClockNs: bigint, options: CallOptions = {}): Promise<void> {
    const answer = await this.#exchange.request('Setting the clock of the guest', { type: 'SetClock', wallClockNs }, options)
    if (answer.type === 'Failed') throw refusal('set its clock', answer)
    if (answer.type !== 'ClockSet') throw this.#exchange.broken(`${answer.type} in answer to SetClock`)
  }

  /** The round trip to the agent in milliseconds. @throws GUEST_UNREACHABLE; PROTOCOL; TIMEOUT. */
  ping(options: CallOptions = {}): Promise<number> {
    return this.#session.ping(options)
  }

  /** Leaves the pipe to the next connection, once the guest was quiesced and has forgotten this one. */
  release(): void {
    this.#session.release()
  }

  /** Ends everything at once. The guest powers off when it sees it. */
  close(): void {
    this.#session.destroy()
  }
}
