/** The guest while a template is built in it: programs are run to their end or left running, and what they print is followed. */

import type { Readable } from 'node:stream'
import type { GuestProcess, ProcessSpec } from '../../agent/index.ts'
import { withDeadline } from '../../common/deadline.ts'
import { RetainedBytes } from '../../common/retained.ts'
import { foreignLines } from '../../common/text.ts'
import { WarmcellError } from '../../errors.ts'
import type { Machine } from '../../machine/index.ts'
import type { BuildLog, Sink } from './log.ts'

/** The end of a program's output that an error shows, in bytes: a compiler's last complaint. */
const tailBytesMax = 4_096

export interface RunOptions {
  /** What it prints belongs into the log. Default true. */
  readonly logged?: boolean
  /** How much of what it printed last is in the result, in bytes. Default `tailBytesMax`. */
  readonly tailBytes?: number
}

type GuestExit = Awaited<GuestProcess['exited']>

/** How a program ended, and the last that it printed. */
export interface Ended {
  readonly exit: GuestExit
  readonly tail: string
}

/** A program that goes on. */
export interface Running {
  /** Undefined as long as it runs. */
  ended(): Promise<Ended | undefined>
}

export class BuildGuest {
  readonly #template: string
  readonly #machine: Machine
  readonly #log: BuildLog
  readonly #signal: AbortSignal

  constructor(template: string, machine: Machine, log: BuildLog, signal: AbortSignal) {
    this.#template = template
    this.#machine = machine
    this.#log = log
    this.#signal = signal
  }

  /** Runs a program to its end, however long that takes. @throws as `attempt`; `SPAWN_FAILED`. */
  async run(program: ProcessSpec, what: string, options: RunOptions = {}): Promise<Ended> {
    return this.attempt(what, async () => {
      const { process, tail, drained } = await this.#start(program, options)
      const exit = await withDeadline(what, { signal: this.#signal }, () => process.exited)
      await drained
      return { exit, tail: shown(tail) }
    })
  }

  /** Starts a program that is to go on in every clone. @throws as `attempt`; `SPAWN_FAILED`. */
  async leaveRunning(program: ProcessSpec, what: string): Promise<Running> {
    return this.attempt(what, async () => {
      const { process, tail, drained } = await this.#start(program, {})
      let exit: GuestExit | undefined
      process.exited.then(
        (value) => {
          exit = value
        },
        () => {},
      )
      return {
        ended: async () => {
          if (exit === undefined) return undefined
          await drained
          return { exit, tail: shown(tail) }
        },
      }
    })
  }

  /** Resolves when the guest has nothing left to say about what has happened so far. */
  async settle(what: string): Promise<void> {
    await this.attempt(what, ({ connection }) => connection.ping({ signal: this.#signal }))
  }

  /**
   * Does something with the guest.
   *
   * @throws `BOOT_FAILED` with the end of the console when the guest ends meanwhile; the signal's reason; what the work throws.
   */
  async attempt<T>(what: string, work: (machine: Machine) => Promise<T>): Promise<T> {
    try {
      return await work(this.#machine)
    } catch (cause) {
      this.#signal.throwIfAborted()
      if (WarmcellError.is(cause) && cause.code === 'TIMEOUT')
        throw new WarmcellError('BOOT_FAILED', `template '${this.#template}': ${cause.message}`, { cause })
      if (!WarmcellError.is(cause) || (cause.code !== 'GUEST_UNREACHABLE' && cause.code !== 'PROTOCOL')) throw cause
      await this.#machine.destroy()
      const end = await this.#machine.ended
      const detail = end.kind === 'crashed' ? end.detail : cause.message
      const evidence = end.kind === 'crashed' && end.consoleTail !== '' ? `\nThe end of the console:\n${end.consoleTail}` : ''
      const error = new WarmcellError(
        'BOOT_FAILED',
        `template '${this.#template}': its microVM ended during ${what}: ${detail}.`,
        { hint: 'If the console speaks of memory, raise memoryMib.', cause },
      )
      error.message += evidence
      throw error
    }
  }

  async #start(
    program: ProcessSpec,
    { logged = true, tailBytes = tailBytesMax }: RunOptions,
  ): Promise<{ process: GuestProcess; tail: RetainedBytes; drained: Promise<unknown> }> {
    const process = await this.#machine.connection.start(program, { signal: this.#signal })
    const tail = new RetainedBytes(tailBytes, 'tail')
    const outputs = [process.stdout, process.stderr].map((output) => follow(output, tail, logged ? this.#log.sink() : undefined))
    return { process, tail, drained: Promise.all(outputs) }
  }
}

/** Reads a stream to its end. Resolves, also on failure, when there is no more. */
async function follow(output: Readable, tail: RetainedBytes, sink: Sink | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const event of ['end', 'close', 'error']) output.once(event, () => resolve())
    // A stream whose guest ends fails once more; unheard, that would end this process.
    output.on('error', () => {})
    output.on('data', (chunk: Uint8Array) => {
      tail.push(chunk)
      sink?.push(chunk)
    })
  })
  sink?.end()
}

/** For a message: the guest wrote it. */
function shown(tail: RetainedBytes): string {
  return foreignLines(tail.text())
}
