/** The processes of one sandbox: starting them, and knowing which there are. */

import { definedOnly } from '../../common/defined.ts'
import { guestPath } from '../../common/guest-path.ts'
import { assertValid } from '../../common/validate.ts'
import type { SandboxContext } from '../context.ts'
import type { Registry } from '../registry.ts'
import type { Process, Processes, ProcessInfo } from './contract.ts'
import { runToEnd, textCallbacks } from './exec.ts'
import { type Command, commandSchema, type ExecOptions, execSchema, type SpawnOptions, spawnSchema } from './options.ts'
import type { OutputStream } from './output.ts'
import { type ProcessContext, SandboxProcess } from './process.ts'
import type { ExecResult } from './result.ts'

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
    const { connection, env, cwd, user, explain, isReachable } = this.#context
    this.#context.assertRunning()
    options.signal?.throwIfAborted()
    const startedAt = performance.now()
    const args = typeof command === 'string' ? ['/bin/sh', '-c', command] : command
    const runAs = options.user ?? user
    const leave = this.#context.enter()
    try {
      const guest = await connection.start(
        {
          arguments: args,
          environment: definedOnly({ ...env, ...options.env }),
          cwd: guestPath(cwd, options.cwd ?? ''),
          user: runAs,
          stdin: options.stdin ?? 'closed',
        },
        {
          ...(options.signal && { signal: options.signal }),
          ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
        },
      )
      const id = this.#registry.nextId()
      const onEnd = (): void => {
        forget()
        leave()
      }
      const context: ProcessContext = { id, startedAt, options, explain, isReachable, onEnd, onDetach: leave }
      const process = new SandboxProcess(guest, context, onOutput)
      const info = { id, pid: guest.pid, command: [...args], user: runAs, startedAt: new Date(), pty: false }
      const forget = this.#registry.add(info, { process })
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
