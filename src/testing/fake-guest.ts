/** A guest that lives in this process: it speaks the real wire, and runs programs that are functions. */

import { setMaxListeners } from 'node:events'
import { posix } from 'node:path'
import type { Duplex } from 'node:stream'
import { type HostMessage, protocolGeneration, readMessage } from '../agent/index.ts'
import { type Deferred, deferred } from '../common/deferred.ts'
import { foreignLines } from '../common/text.ts'
import type { VmEnd } from '../hypervisor/index.ts'
import { MuxSession } from '../mux/index.ts'
import { answer, refuse } from './answer.ts'
import { FakeAccount, type FakeLimits, type FakeLoad, unlimited } from './fake-account.ts'
import { FakePorts, type FakeServer } from './fake-ports.ts'
import { isFileRequest, serveFiles } from './file-service.ts'
import { GuestFileSystem } from './guest-files.ts'
import { GuestProcess, type ProcessWorld } from './guest-process.ts'
import type { FakeProgram } from './program.ts'
import { type FakeStep, isStep } from './step.ts'

/** What the guest was told to be. */
export interface FakeIdentity {
  readonly hostname: string
  readonly machineId: string
  readonly entropy: Uint8Array
  /** 0 in one that was booted, and no other clone's in a clone. */
  readonly generationId: bigint
}

type Message<T extends HostMessage['type']> = Extract<HostMessage, { type: T }>

/**
 * One fake microVM. Get it from `FakePool.guests` to see what happened in it, and to make happen to it what happens to real ones.
 */
export class FakeGuest {
  /** The id of its sandbox. */
  readonly id: string
  /** Its files by absolute path: to look into and to change. Directories come with what is in them; links and modes are made through `sandbox.files` alone. */
  readonly files: Map<string, Uint8Array>
  /** What `usage()` is to say of its programs: yours to set. Files and processes are counted. */
  readonly load: FakeLoad = { cpuMs: 0, memoryBytes: 0, oomKills: 0 }
  /** @internal */
  readonly ended: Promise<VmEnd>
  readonly #pipe: Duplex
  #session: MuxSession
  readonly #fileSystem = new GuestFileSystem()
  readonly #world: ProcessWorld
  /** By the id of their control stream. Streams are read independently: a channel may be attached before its process has been started. */
  readonly #processes = new Map<number, Promise<GuestProcess | undefined>>()
  readonly #announcing = new Map<number, (process: GuestProcess | undefined) => void>()
  readonly #ports = new FakePorts()
  #account: FakeAccount
  #running = 0
  readonly #life = new AbortController()
  readonly #onStep: ((guest: FakeGuest, step: FakeStep) => void) | undefined
  #hung = false
  #paused = false
  #held = false
  #identity: FakeIdentity | undefined
  #console = ''
  #pids = 0
  readonly #ended: Deferred<VmEnd> = deferred()

  /** @internal */
  constructor(
    id: string,
    pipe: Duplex,
    programs: ReadonlyMap<string, FakeProgram>,
    onStep?: (guest: FakeGuest, step: FakeStep) => void,
  ) {
    this.id = id
    this.files = this.#fileSystem.files
    this.#onStep = onStep
    this.#pipe = pipe
    this.ended = this.#ended.promise
    this.#session = this.#beginSession()
    setMaxListeners(0, this.#life.signal) // one for each process
    this.#account = new FakeAccount(this, () => this.#running, unlimited)
    this.#fileSystem.hasRoomFor = (path, bytes) => this.#account.hasRoomFor(path, bytes)
    this.#world = {
      files: this.files,
      programs,
      ports: this.#ports,
      signal: this.#life.signal,
      onViolation: () => this.#session.destroy(),
    }
    this.print('warmcell-agent: waiting for its host\n')
  }

  get alive(): boolean {
    return !this.#life.signal.aborted
  }

  /** Undefined until the host has greeted it. */
  get identity(): FakeIdentity | undefined {
    return this.#identity
  }

  /** How many processes it has started. */
  get processesStarted(): number {
    return this.#pids
  }

  /** What it may use. */
  get limits(): Readonly<FakeLimits> {
    return this.#account.limits
  }

  /** How many connections to its ports are open. */
  get connections(): number {
    return this.#ports.connections
  }

  /** What it has from its boot on, or from that of its snapshot. @internal */
  equip(limits: FakeLimits): void {
    this.#account = new FakeAccount(this, () => this.#running, limits)
  }

  /** Listens on one of its ports, as a program would that its template left running. Returns what stops it. */
  listen(port: number, server: FakeServer): () => void {
    return this.#ports.listen(port, server, this.#life.signal)
  }

  /** What its console shows. */
  get consoleText(): string {
    return foreignLines(this.#console)
  }

  /** Prints to the console, as a kernel does. */
  print(text: string): void {
    this.#console += text
  }

  /** Its process ends by itself, as on a kernel panic; `lastWords` go to the console before. */
  crash(lastWords = 'Kernel panic - not syncing: crash() was called\n'): void {
    this.print(lastWords)
    this.end({ exitCode: 1, signal: null })
  }

  /** It neither reads nor answers from here on, and does not end. */
  hang(): void {
    this.#hung = true
    this.#hold()
  }

  /** It goes on after `hang`. */
  resume(): void {
    this.#hung = false
    this.#hold()
  }

  /** Whether its host has stopped it, as it does with one that waits for a tenant. */
  get paused(): boolean {
    return this.#paused
  }

  /** @internal */
  pause(paused: boolean): void {
    this.#paused = paused
    this.#hold()
  }

  /** @internal */
  step(step: FakeStep): void {
    this.#onStep?.(this, step)
  }

  /** Bytes onto the pipe that no agent would send. */
  sendRaw(bytes: Uint8Array): void {
    this.#pipe.write(bytes)
  }

  /** @internal */
  end(end: VmEnd): void {
    if (!this.alive) return
    this.#life.abort(new Error('the guest has ended'))
    this.#pipe.destroy()
    // As with a process: its pipes close first, and its end is heard of in a later turn.
    setImmediate(() => this.#ended.resolve(end))
  }

  /** It has forgotten its host, and finds another. @internal */
  beginAgain(): void {
    this.#session.release()
    this.#session = this.#beginSession()
    this.#identity = undefined
    this.#processes.clear()
    this.#announcing.clear()
  }

  #beginSession(): MuxSession {
    const session = new MuxSession(this.#pipe, { role: 'server', onStream: (stream) => void this.#serve(stream) })
    // A guest whose host is gone powers off.
    void session.ended.then(() => {
      if (session === this.#session) this.end({ exitCode: 0, signal: null })
    })
    return session
  }

  #hold(): void {
    const held = this.#hung || this.#paused
    if (held === this.#held) return
    this.#held = held
    if (held) {
      this.#pipe.cork()
      this.#pipe.pause()
    } else {
      this.#pipe.uncork()
      this.#pipe.resume()
    }
  }

  async #serve(stream: Duplex): Promise<void> {
    try {
      const message = await readMessage(stream, 'guest')
      if (isStep(message.type)) this.step(message.type)
      if (!this.alive) return
      if (message.type === 'Hello') this.#greet(stream, message)
      else if (this.#identity === undefined) refuse(stream, 'EACCES', 'hello', 'the handshake has not been made')
      else if (message.type === 'Start') this.#start(stream as Duplex & { id: number }, message)
      else if (message.type === 'Attach') await this.#attach(stream, message)
      else if (isFileRequest(message)) await serveFiles(this.#fileSystem, stream, message)
      else if (message.type === 'SetClock') answer(stream, { type: 'ClockSet' })
      else if (message.type === 'Connect') this.#ports.connect(message.port, stream)
      else if (message.type === 'AwaitPort') this.#ports.await(message.port, stream)
      else if (message.type === 'Measure') answer(stream, this.#account.measure())
      else if (message.type === 'Limit') answer(stream, this.#account.limit(message))
      else if (message.type === 'Quiesce') answer(stream, { type: 'Quiesced', processes: 0 })
      else refuse(stream, 'EPROTO', 'open', `${message.type} opens no stream`)
    } catch {
      // Reset by the host, or not what the wire allows: this stream is over.
      stream.destroy()
    }
  }

  #greet(stream: Duplex, hello: Message<'Hello'>): void {
    const { generation, hostname, machineId, entropy, generationId, template } = hello
    if (generation !== protocolGeneration) {
      refuse(stream, 'EPROTO', 'hello', `generation ${generation} is not spoken here`)
      return
    }
    this.#identity = { hostname, machineId, entropy: Uint8Array.from(entropy), generationId }
    const bootId = template === 1 ? '' : '00000000-0000-4000-8000-000000000000'
    answer(stream, { type: 'Welcome', generation, agentVersion: 'fake', kernelRelease: 'fake', bootId })
  }

  #start(stream: Duplex & { id: number }, start: Message<'Start'>): void {
    const name = start.arguments[0] ?? ''
    const program = this.#world.programs.get(posix.basename(name))
    if (program !== undefined && !this.#account.hasProcessLeft) {
      this.#announce(stream.id, undefined)
      refuse(stream, 'EAGAIN', 'spawn', `the fake guest may have ${this.limits.processes} processes`)
      return
    }
    const process = program && new GuestProcess(stream, start, program, ++this.#pids, this.#world)
    if (process !== undefined) {
      this.#running++
      void process.ended.then(() => this.#running--)
    }
    this.#announce(stream.id, process)
    stream.once('close', () => this.#processes.delete(stream.id))
    if (process === undefined) {
      const known = [...this.#world.programs.keys()].sort().join(', ')
      refuse(stream, 'ENOENT', 'exec', `no such program in the fake guest, which has ${known}`)
    }
  }

  async #attach(stream: Duplex, { process: id, channel }: Message<'Attach'>): Promise<void> {
    const process = await this.#processOf(id)
    if (process === undefined) stream.destroy()
    else process.attach(channel, stream)
  }

  #processOf(id: number): Promise<GuestProcess | undefined> {
    const known = this.#processes.get(id)
    if (known !== undefined) return known
    const coming = new Promise<GuestProcess | undefined>((resolve) => this.#announcing.set(id, resolve))
    this.#processes.set(id, coming)
    return coming
  }

  #announce(id: number, process: GuestProcess | undefined): void {
    void this.#processOf(id)
    this.#announcing.get(id)?.(process)
    this.#announcing.delete(id)
  }
}
