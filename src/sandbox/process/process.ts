/** One process of a tenant: what it is given, what it prints, how it ends. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { GuestProcess } from '../../agent/index.ts'
import { type CallOptions, withDeadline } from '../../common/deadline.ts'
import { assertValid, callOptions } from '../../common/validate.ts'
import { WarmcellError } from '../../errors.ts'
import type { OutputChunk, Process } from './contract.ts'
import { DetachedOutput } from './detached.ts'
import { armKills } from './kills.ts'
import { type SpawnOptions, signalSchema } from './options.ts'
import { bufferBytesDefault, OutputRecord, type OutputStream, outputStreams, ProcessOutput } from './output.ts'
import type { ExecResult } from './result.ts'
import { type SignalName, signalName, signalNumber } from './signals.ts'

/** What a sandbox gives a process besides the guest's own handle. */
export interface ProcessContext {
  readonly id: string
  readonly startedAt: number
  readonly options: SpawnOptions
  /** Turns a failure of the connection into the error the caller should see. */
  readonly explain: (error: unknown) => Promise<unknown>
  /** Whether the guest still answers. */
  readonly isReachable: () => Promise<boolean>
  /** Called once, when it has ended or the sandbox has. */
  readonly onEnd: () => void
  /** Called when it is let go of. */
  readonly onDetach: () => void
}

export class SandboxProcess implements Process {
  readonly id: string
  readonly stdoutOutput: ProcessOutput
  readonly stderrOutput: ProcessOutput
  readonly guest: GuestProcess
  readonly #context: ProcessContext
  readonly #record: OutputRecord
  readonly #ended: Promise<{ exitCode: number; signal: number; oomKilled: boolean; endedAt: number }>
  #stdin: WritableStream<string | Uint8Array> | undefined
  #result: Promise<ExecResult> | undefined
  #timedOut = false
  #abort: { reason: unknown } | undefined
  #detached: DetachedOutput | undefined
  #disposed = false

  constructor(guest: GuestProcess, context: ProcessContext, onOutput?: (stream: OutputStream, data: Uint8Array) => void) {
    const { maxBufferBytes = bufferBytesDefault, retain = 'tail' } = context.options
    this.id = context.id
    this.guest = guest
    this.#context = context
    const record = new OutputRecord(maxBufferBytes, retain)
    this.#record = record
    const recorder = (stream: OutputStream) => (data: Uint8Array) => {
      record.push(stream, data)
      try {
        onOutput?.(stream, data)
      } catch (reason) {
        // A caller's callback failed. The error is the caller's to see, not the connection's, which others share.
        this.#abort ??= { reason }
        guest.abandon()
      }
    }
    const explain = (error: unknown): Promise<unknown> => this.#explain(error)
    this.stdoutOutput = new ProcessOutput(guest.stdout, recorder('stdout'), explain)
    this.stderrOutput = new ProcessOutput(guest.stderr, recorder('stderr'), explain)
    const disarm = this.#armKills()
    this.#ended = guest.exited
      .then((exit) => ({ ...exit, endedAt: performance.now() }))
      .finally(() => {
        disarm()
        context.onEnd()
      })
    this.#ended.catch(() => {})
  }

  get pid(): number {
    return this.guest.pid
  }

  get missedBytes(): number {
    return this.#detached?.missedBytes ?? 0
  }

  get stdout(): ReadableStream<Uint8Array> {
    return this.#detached === undefined ? this.stdoutOutput.stream : this.#detached.stream('stdout')
  }

  get stderr(): ReadableStream<Uint8Array> {
    return this.#detached === undefined ? this.stderrOutput.stream : this.#detached.stream('stderr')
  }

  get stdin(): WritableStream<string | Uint8Array> {
    const { stdin } = this.guest
    this.#stdin ??= new WritableStream<string | Uint8Array>({
      write: (chunk) => new Promise((resolve, reject) => stdin.write(chunk, (error) => (error ? reject(error) : resolve()))),
      close: () => new Promise((resolve) => stdin.end(resolve)),
      abort: () => void stdin.destroy(),
    })
    return this.#stdin
  }

  async wait(options: CallOptions = {}): Promise<ExecResult> {
    assertValid(callOptions, options, 'wait')
    // Begun only for one who waits: who has given up already would leave its failure to nobody.
    return withDeadline(`Waiting for process ${this.id}`, options, () => {
      this.#result ??= this.#finish()
      return this.#result
    })
  }

  async kill(signal: SignalName = 'SIGTERM'): Promise<boolean> {
    assertValid(signalSchema, signal, 'kill')
    return this.guest.signal(signalNumber(signal) as number)
  }

  detach(): void {
    if (this.#detached === undefined) {
      this.#detached = new DetachedOutput()
      this.stdoutOutput.letGo(this.#detached.sink('stdout'))
      this.stderrOutput.letGo(this.#detached.sink('stderr'))
      this.#context.onDetach()
    } else this.#detached.dismiss()
  }

  [Symbol.asyncIterator](): AsyncIterator<OutputChunk> {
    return this.#detached === undefined ? this.#chunks() : this.#chunksAgain(this.#detached)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#detached !== undefined) return
    this.#disposed = true
    this.guest.abandon()
    await this.#ended.catch(() => {})
  }

  async *#chunks(): AsyncGenerator<OutputChunk> {
    const outputs = { stdout: this.stdoutOutput, stderr: this.stderrOutput }
    const leaves = outputStreams.map((stream) => outputs[stream].enterLoop())
    const ready = (stream: OutputStream): Promise<OutputStream> => outputs[stream].ready().then(() => stream)
    const waiting = new Map(outputStreams.map((stream) => [stream, ready(stream)]))
    try {
      while (waiting.size > 0) {
        const stream = await Promise.race(waiting.values())
        const data = await outputs[stream].next()
        if (data === undefined) waiting.delete(stream)
        else {
          waiting.set(stream, ready(stream))
          yield { stream, data }
        }
      }
    } finally {
      for (const leave of leaves) leave()
    }
  }

  async *#chunksAgain(detached: DetachedOutput): AsyncGenerator<OutputChunk> {
    const reader = detached.read(outputStreams)
    try {
      for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) yield chunk
    } finally {
      reader.leave()
    }
  }

  async #finish(): Promise<ExecResult> {
    // A caller who waits first and reads in the same turn is a reader all the same.
    await nextTurn()
    try {
      const [exit] = await Promise.all([this.#ended, this.stdoutOutput.drain(), this.stderrOutput.drain()])
      await this.#detached?.ended
      if (this.#abort !== undefined) throw this.#abort.reason
      const { exitCode, signal, oomKilled, endedAt } = exit
      return {
        exitCode,
        signal: signal === 0 ? null : signalName(signal),
        ok: exitCode === 0 && !this.#timedOut,
        ...this.#record.finish(),
        timedOut: this.#timedOut,
        oomKilled,
        durationMs: endedAt - this.#context.startedAt,
      }
    } catch (error) {
      throw await this.#explain(this.#abort?.reason ?? error)
    }
  }

  /** What ended because it was disposed of needs no evidence of another cause. */
  async #explain(error: unknown): Promise<unknown> {
    return this.#disposed ? error : this.#context.explain(error)
  }

  /** A reader who is slow holds back the news of the end, and that is all right; a guest that does not answer is not waited for. */
  async #giveUpOnSilence(): Promise<void> {
    if (await this.#context.isReachable()) return
    this.#abort ??= {
      reason: new WarmcellError('GUEST_UNREACHABLE', `Process ${this.id} was to be ended, and its guest does not answer.`, {
        hint: 'Destroy the sandbox.',
      }),
    }
    this.guest.abandon()
  }

  #armKills(): () => void {
    const { startedAt, options } = this.#context
    return armKills(this.guest, startedAt, options, {
      onTimeout: () => {
        this.#timedOut = true
      },
      onAbort: (reason) => {
        this.#abort ??= { reason }
        // Nobody will read what is still to come; unread it would hold back the news of the end.
        void this.wait().catch(() => {})
      },
      onSilence: () => void this.#giveUpOnSilence(),
    })
  }
}
