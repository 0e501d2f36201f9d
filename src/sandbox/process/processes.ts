/** The processes of one sandbox: starting them, and knowing which there are. */

import { definedOnly } from '../../common/defined.ts'
import { guestPath } from '../../common/guest-path.ts'
import { assertValid } from '../../common/validate.ts'
import type { SandboxContext } from '../context.ts'
import type { Process, Processes, ProcessInfo } from './contract.ts'
import { runToEnd, textCallbacks } from './exec.ts'
import { type Command, commandSchema, type ExecOptions, execSchema, type SpawnOptions, spawnSchema } from './options.ts'
import type { OutputStream } from './output.ts'
import { type ProcessContext, SandboxProcess } from './process.ts'
import type { ExecResult } from './result.ts'
import { UnimplementedError } from './unimplemented.ts'

export class SandboxProcesses implements Processes {
  readonly #context: SandboxContext
  #started = 0

  constructor(context: SandboxContext) {
    this.#context = context
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
    throw new UnimplementedError()
  }

  get(_id: string): Process | undefined {
    throw new UnimplementedError()
  }

  async #start(
    command: Command,
    options: SpawnOptions,
    onOutput?: (stream: OutputStream, data: Uint8Array) => void,
  ): Promise<SandboxProcess> {
    const { connection, env, cwd, user, explain, isReachable } = this.#context
    this.#context.assertRunning()
    options.signal?.throwIfAborted()
    const startedAt = performance.now()
    const leave = this.#context.enter()
    try {
      const guest = await connection.start(
        {
          arguments: typeof command === 'string' ? ['/bin/sh', '-c', command] : command,
          environment: definedOnly({ ...env, ...options.env }),
          cwd: guestPath(cwd, options.cwd ?? ''),
          user: options.user ?? user,
          stdin: options.stdin ?? 'closed',
        },
        {
          ...(options.signal && { signal: options.signal }),
          ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
        },
      )
      const context: ProcessContext = { id: `p${++this.#started}`, startedAt, options, explain, isReachable, onEnd: leave }
      return new SandboxProcess(guest, context, onOutput)
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
