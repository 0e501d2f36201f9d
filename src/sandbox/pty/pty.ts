/** One program at a terminal: what is typed, its size, its end. */

import type { GuestProcess } from '../../agent/index.ts'
import { type CallOptions, withDeadline } from '../../common/deadline.ts'
import { assertValid, callOptions } from '../../common/validate.ts'
import type { SandboxContext } from '../context.ts'
import { signalSchema } from '../process/options.ts'
import { type SignalName, signalName, signalNumber } from '../process/signals.ts'
import type { Pty, PtyExit } from './contract.ts'
import { inputSchema, sizeSchema } from './options.ts'
import { Screen } from './screen.ts'

export interface PtyParts {
  readonly id: string
  readonly cols: number
  readonly rows: number
  /** Called once, when it has ended or the sandbox has. */
  readonly onEnd: () => void
}

export class SandboxPty implements Pty {
  readonly id: string
  readonly #guest: GuestProcess
  readonly #context: SandboxContext
  readonly #screen: Screen
  readonly #exit: Promise<PtyExit>
  #ended = false
  #disposed = false

  constructor(guest: GuestProcess, context: SandboxContext, { id, cols, rows, onEnd }: PtyParts) {
    this.id = id
    this.#guest = guest
    this.#context = context
    // A terminal is in use when something is typed or printed, not for being there.
    const onOutput = (): void => context.touch()
    this.#screen = new Screen(guest.stdout, { cols, rows }, onOutput, () => this.#outcome())
    this.#exit = guest.exited
      .then(({ exitCode, signal }) => ({ exitCode, signal: signal === 0 ? null : signalName(signal) }))
      .finally(() => {
        this.#ended = true
        onEnd()
      })
    this.#exit.catch(() => {})
  }

  get pid(): number {
    return this.#guest.pid
  }

  get cols(): number {
    return this.#screen.size.cols
  }

  get rows(): number {
    return this.#screen.size.rows
  }

  async write(data: string | Uint8Array): Promise<void> {
    assertValid(inputSchema, data, 'write')
    if (!this.#disposed) this.#context.assertRunning()
    // A key that is pressed as the program ends is pressed for nobody: no reason to fail.
    if (this.#ended || data.length === 0) return
    this.#context.touch()
    const { stdin } = this.#guest
    await new Promise<void>((resolve, reject) => {
      stdin.write(data, (error) => (error ? reject(error) : resolve()))
    }).catch(() => this.#exit.then(() => {}, this.#throwExplained))
  }

  async resize(cols: number, rows: number): Promise<void> {
    assertValid(sizeSchema, { cols, rows }, 'resize')
    if (!this.#disposed) this.#context.assertRunning()
    this.#screen.size = { cols, rows }
    this.#guest.resize(cols, rows)
  }

  async wait(options: CallOptions = {}): Promise<PtyExit> {
    assertValid(callOptions, options, 'wait')
    return withDeadline(`Waiting for terminal ${this.id}`, options, () => this.#exit.catch(this.#throwExplained))
  }

  async kill(signal: SignalName = 'SIGHUP'): Promise<boolean> {
    assertValid(signalSchema, signal, 'kill')
    return this.#guest.signal(signalNumber(signal) as number).catch(this.#throwExplained)
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#screen.look()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    this.#guest.abandon()
    await this.#exit.catch(() => {})
  }

  /** What was lost on the way is told to whoever looks; after a disposal there was nothing to lose. */
  async #outcome(): Promise<void> {
    if (!this.#disposed) await this.#exit.catch(this.#throwExplained)
  }

  readonly #throwExplained = async (error: unknown): Promise<never> => {
    throw this.#disposed ? error : await this.#context.explain(error)
  }
}
