/** One process of the fake guest, by its three streams: protocol.md, chapter 3.2. */

import { posix } from 'node:path'
import { type Duplex, PassThrough } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { encodeMessage, type HostMessage, MessageReader } from '../agent/index.ts'
import { type SignalName, signalName } from '../sandbox/process/signals.ts'
import type { FakePorts } from './fake-ports.ts'
import type { FakeOutput, FakeProcess, FakeProgram } from './program.ts'

type StartMessage = Extract<HostMessage, { type: 'Start' }>

/** What a process needs of the guest it runs in. */
export interface ProcessWorld {
  readonly files: Map<string, Uint8Array>
  readonly programs: ReadonlyMap<string, FakeProgram>
  readonly ports: FakePorts
  /** Ends with the guest. */
  readonly signal: AbortSignal
  /** The host broke a rule of the wire. */
  readonly onViolation: (error: unknown) => void
}

/** What these signals do to a process that does not handle them: nothing that a fake could show. */
const harmless: ReadonlySet<SignalName> = new Set<SignalName>([
  'SIGCHLD',
  'SIGCONT',
  'SIGSTOP',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGURG',
  'SIGWINCH',
])

const [sigkill, sigterm, sigwinch] = [9, 15, 28]

/** What a terminal makes of these bytes: Ctrl-C, Ctrl-\, Ctrl-Z. */
const keys: ReadonlyMap<number, number> = new Map([
  [0x03, 2],
  [0x1c, 3],
  [0x1a, 20],
])

/** Bytes towards one channel: they wait until the host has attached it. */
class Output implements FakeOutput {
  readonly #ended: AbortSignal
  readonly #channel: Promise<Duplex>
  attach!: (stream: Duplex) => void
  #used = false

  constructor(ended: AbortSignal) {
    this.#ended = ended
    this.#channel = new Promise((resolve) => {
      this.attach = resolve
    })
    // The host attaches before it knows whether anything will be printed; closing then is all there is to do.
    ended.addEventListener('abort', () => void this.#channel.then((stream) => stream.end()), { once: true })
  }

  async write(data: string | Uint8Array): Promise<void> {
    this.#ended.throwIfAborted()
    this.#used = true
    const stream = await this.#channel
    this.#ended.throwIfAborted()
    if (!stream.writable) {
      // Dropped; but a program that prints for ever must not keep the rest of this process from running.
      await nextTurn()
      return
    }
    // A copy, as write(2) makes: the program may use its buffer again.
    await new Promise<void>((resolve) => stream.write(typeof data === 'string' ? data : Buffer.from(data), () => resolve()))
  }

  /** Resolves when what was printed has been handed over; at once when nothing was. */
  async flushed(): Promise<void> {
    if (!this.#used) return
    const stream = await this.#channel
    if (stream.destroyed || stream.writableFinished) return
    await new Promise<void>((resolve) => stream.once('finish', resolve).once('close', resolve))
  }
}

export class GuestProcess {
  /** Resolves when it is over, however it ended. */
  readonly ended: Promise<void>
  readonly #control: Duplex
  readonly #world: ProcessWorld
  /** Fires when the process is over, however it ended. */
  readonly #over = new AbortController()
  /** Fires when it did not end by itself. */
  readonly #killed = new AbortController()
  readonly #handlers = new Map<SignalName, () => void>()
  readonly #stdout = new Output(this.#over.signal)
  readonly #stderr = new Output(this.#over.signal)
  readonly #stdin: Promise<Duplex>
  #attachStdin!: (stream: Duplex) => void
  readonly #terminal: { columns: number; rows: number } | undefined
  #grace: NodeJS.Timeout | undefined

  constructor(control: Duplex, start: StartMessage, program: FakeProgram, pid: number, world: ProcessWorld) {
    this.#control = control
    this.#world = world
    if (start.columns !== undefined && start.rows !== undefined) this.#terminal = { columns: start.columns, rows: start.rows }
    this.#stdin = new Promise((resolve) => {
      this.#attachStdin = resolve
    })
    this.ended = new Promise((resolve) => this.#over.signal.addEventListener('abort', () => resolve(), { once: true }))
    const onGuestEnd = (): void => this.#end(sigkill)
    world.signal.addEventListener('abort', onGuestEnd, { once: true })
    this.#over.signal.addEventListener('abort', () => world.signal.removeEventListener('abort', onGuestEnd), { once: true })
    control.write(encodeMessage({ type: 'Started', pid }))
    this.#listen()
    void this.#run(program, start, pid)
  }

  attach(channel: number, stream: Duplex): void {
    if (channel === 2) {
      this.#stderr.attach(stream)
      stream.resume()
      return
    }
    this.#stdout.attach(stream)
    this.#attachStdin(this.#terminal === undefined ? stream : this.#typed(stream))
    // What comes after the end is discarded, and credit for it goes on being granted.
    if (this.#over.signal.aborted) stream.resume()
    else this.#over.signal.addEventListener('abort', () => stream.resume(), { once: true })
  }

  async #run(program: FakeProgram, start: StartMessage, pid: number): Promise<void> {
    const process: FakeProcess = {
      argv: start.arguments,
      env: Object.fromEntries(start.environment.map((variable) => splitAt(variable, variable.indexOf('=')))),
      cwd: posix.resolve(homeOf(start.user), start.cwd),
      user: start.user,
      pid,
      stdin: this.#input(start.stdin === 1),
      stdout: this.#stdout,
      stderr: this.#terminal === undefined ? this.#stderr : this.#stdout,
      ...(this.#terminal && { terminal: this.#terminal }),
      signal: this.#killed.signal,
      files: this.#world.files,
      programs: this.#world.programs,
      onSignal: (name, handler) => void this.#handlers.set(name, handler),
      listen: (port, server) => this.#world.ports.listen(port, server, this.#over.signal),
    }
    try {
      this.#end(0, (await program(process)) & 255)
    } catch (error) {
      if (!this.#killed.signal.aborted) await process.stderr.write(`${String(error)}\n`).catch(() => {})
      this.#end(0, 1)
    }
  }

  async *#input(open: boolean): AsyncGenerator<Uint8Array> {
    if (!open) return
    const stream = await this.#stdin
    try {
      yield* stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>
    } catch (error) {
      // The host took its end away: nothing more can come.
      if (!stream.destroyed) throw error
    } finally {
      stream.resume()
    }
  }

  /** What is typed, without the keys that the terminal understands itself: these act also on a program that does not read. */
  #typed(stream: Duplex): Duplex {
    const typed = new PassThrough()
    stream.on('data', (chunk: Buffer) => {
      if (this.#over.signal.aborted) return
      for (const byte of chunk) this.#deliver(keys.get(byte) ?? 0)
      const rest = Buffer.from(chunk.filter((byte) => !keys.has(byte)))
      if (rest.length === 0 || typed.write(rest)) return
      stream.pause()
      typed.once('drain', () => stream.resume())
    })
    stream.on('close', () => typed.end())
    return typed
  }

  #listen(): void {
    const reader = new MessageReader('guest')
    this.#control.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
        for (let message = reader.next(); message !== undefined; message = reader.next()) this.#obey(message)
      } catch (error) {
        this.#world.onViolation(error)
      }
    })
    this.#control.on('close', () => {
      if (!this.#control.readableEnded) this.#end(sigkill)
    })
  }

  #obey(message: HostMessage): void {
    if (message.type === 'Signal') {
      const delivered = this.#deliver(message.signal)
      if (this.#control.writable) this.#control.write(encodeMessage({ type: 'Signalled', delivered: delivered ? 1 : 0 }))
    } else if (message.type === 'Terminate') {
      this.#deliver(sigterm)
      clearTimeout(this.#grace)
      if (!this.#over.signal.aborted) this.#grace = setTimeout(() => this.#end(sigkill), message.graceMs)
    } else if (message.type === 'Resize' && this.#terminal !== undefined) {
      this.#terminal.columns = message.columns
      this.#terminal.rows = message.rows
      this.#deliver(sigwinch)
    } else throw new Error(`${message.type} on a control stream`)
  }

  #deliver(number: number): boolean {
    if (this.#over.signal.aborted || number === 0) return false
    const name = signalName(number)
    const handler = number === sigkill ? undefined : this.#handlers.get(name)
    if (handler !== undefined) handler()
    else if (!harmless.has(name)) this.#end(number)
    return true
  }

  /** The first end counts. What was printed is handed over before the host hears of it. */
  #end(signal: number, exitCode: number = 128 + signal): void {
    if (this.#over.signal.aborted) return
    clearTimeout(this.#grace)
    const reason = new Error(signal === 0 ? 'the process has ended' : `the process was ended by ${signalName(signal)}`)
    if (signal !== 0) this.#killed.abort(reason)
    this.#over.abort(reason)
    void Promise.all([this.#stdout.flushed(), this.#stderr.flushed()]).then(() => {
      if (this.#control.writable) this.#control.end(encodeMessage({ type: 'Exited', exitCode, signal, oomKilled: 0 }))
    })
  }
}

function splitAt(text: string, at: number): [string, string] {
  return [text.slice(0, at), text.slice(at + 1)]
}

/** Where relative paths start. */
export function homeOf(user: string): string {
  return user === 'root' ? '/root' : '/home/user'
}
