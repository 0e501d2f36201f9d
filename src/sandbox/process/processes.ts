/** The processes of one sandbox: starting them, and knowing which there are. */

import { callOptionsOf } from '../../common/deadline.ts'
import { assertValid } from '../../common/validate.ts'
import type { SandboxContext } from '../context.ts'
import type { Registry } from '../registry.ts'
import type { Process, Processes, ProcessInfo } from './contract.ts'
import { runToEnd, textCallbacks } from './exec.ts'
import { type Command, commandSchema, type ExecOptions, execSchema, type SpawnOptions, spawnSchema } from './options.ts'
import type { OutputStream } from './output.ts'
import { type ProcessContext, SandboxProcess } from './process.ts'
import type { ExecResult } from './result.ts'
import { specOf } from './spec.ts'

export class SandboxProcesses implements Processes {
  readonly #context: SandboxContext
  readonly #registry: Registry

  constructor(context: SandboxContext, registry: Registry) {
    this.#context = context
    this.#registry = registry
  }

  async exec(command: Command, options: ExecOptions): Promise<ExecResult> {
    assertValid(commandSchema, command, 'exec')
    assertValid(execSchema, options, 'exec')
    const stdin = options.stdin === undefined ? 'closed' : 'pipe'
    const text = textCallbacks(options)
    const process = await this.#start(command, { ...options, stdin }, text?.onOutput)
    return runToEnd(process, describe(command), options, this.#context.id, text)
  }

  async spawn(command: Command, options: SpawnOptions): Promise<Process> {
    assertValid(commandSchema, command, 'spawn')
    assertValid(spawnSchema, options, 'spawn')
    return this.#start(command, options)
  }

  async list(): Promise<ProcessInfo[]> {
    this.#context.assertRunning()
    return this.#registry.list()
  }

  get(id: string): Process | undefined {
    return this.#registry.process(id)
  }

  async #start(
    command: Command,
    options: SpawnOptions,
    onOutput?: (stream: OutputStream, data: Uint8Array) => void,
  ): Promise<SandboxProcess> {
    const { connection, explain, isReachable } = this.#context
    this.#context.assertRunning()
    options.signal?.throwIfAborted()
    const startedAt = performance.now()
    const spec = specOf(this.#context, typeof command === 'string' ? ['/bin/sh', '-c', command] : command, options)
    const leave = this.#context.enter()
    try {
      const guest = await connection.start({ ...spec, stdin: options.stdin ?? 'closed' }, callOptionsOf(options))
      const id = this.#registry.nextId()
      const onEnd = (): void => {
        forget()
        leave()
      }
      const context: ProcessContext = { id, startedAt, options, explain, isReachable, onEnd, onDetach: leave }
      const process = new SandboxProcess(guest, context, onOutput)
      const forget = this.#registry.add(id, spec, guest.pid, { process })
      return process
    } catch (error) {
      leave()
      throw await explain(error)
    }
  }
}

function describe(command: Command): string {
  const text = typeof command === 'string' ? command : command.join(' ')
  return `\`${text.length > 80 ? `${text.slice(0, 80)}…` : text}\``
}
