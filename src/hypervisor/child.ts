/** A launched program as a child process of this one: its inheritance laid out, its end made certain. */

import { type ChildProcess, spawn } from 'node:child_process'
import { type FileHandle, open, rm, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import type { Duplex, Readable } from 'node:stream'
import { WarmcellError } from '../errors.ts'
import type { VmEnd } from './hypervisor.ts'
import type { Launch, Launched } from './launcher.ts'

/** What a program is told of its environment where nothing else is said. */
export const childEnvironment = { PATH: '/usr/bin:/bin', LC_ALL: 'C' } as const

/** Where a child's inheritance begins: behind its standard streams. */
const firstDescriptor = 3

/** Shells, and bwrap, say the signal that ended what they started as an exit code above this: POSIX.1, 2.8.2. */
const signalExitCode = 128

/** Every child of this Node process, so that an ordinary exit of it ends them in the same breath. */
const alive = new Set<LaunchedChild>()
process.on('exit', () => {
  for (const child of alive) child.signal('SIGKILL')
})

export interface StartOptions {
  readonly env: Readonly<Record<string, string>>
  /** Inherited behind what the launch itself asks for: open descriptors, and pipes of this process's own. */
  readonly more?: readonly ('pipe' | number)[]
}

/**
 * Starts the command with what the launch inherits: pipes, then its files. Those it writes are made.
 *
 * @throws `BOOT_FAILED` when the system starts no process, or has no such file.
 */
export async function startChild(command: readonly string[], launch: Launch, options: StartOptions): Promise<ChildProcess> {
  const files: FileHandle[] = []
  const made: string[] = []
  try {
    for (const hostPath of launch.writes) {
      await writeFile(hostPath, '', { flag: 'wx', mode: 0o600 })
      made.push(hostPath)
    }
    for (const hostPath of launch.opens) files.push(await open(hostPath, 'r'))
    const pipes = Array<'pipe'>(launch.pipes).fill('pipe')
    const [file = '', ...args] = command
    const child = spawn(file, args, {
      stdio: ['ignore', 'ignore', 'pipe', ...pipes, ...files.map(({ fd }) => fd), ...(options.more ?? [])],
      cwd: '/',
      // Nothing of the host's environment is its business.
      env: options.env,
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    return child
  } catch (cause) {
    for (const hostPath of made) await rm(hostPath, { force: true })
    throw startFailure(launch, cause as NodeJS.ErrnoException)
  } finally {
    await Promise.all(files.map((file) => file.close()))
  }
}

export interface ChildParts {
  /** Where it is not the child itself. */
  readonly pid?: number
  /** Clears away what was made for it, once it has ended. */
  readonly release?: () => Promise<void>
}

export class LaunchedChild implements Launched {
  readonly pid: number
  readonly pipes: readonly Duplex[]
  readonly log: Readable
  readonly ended: Promise<VmEnd>
  readonly #child: ChildProcess

  constructor(child: ChildProcess, launch: Launch, { pid, release }: ChildParts = {}) {
    this.#child = child
    this.pid = pid ?? (child.pid as number)
    // Node types no more than the first five of them; each was asked for as a 'pipe', which is a socket.
    const stdio = child.stdio as unknown as readonly Duplex[]
    this.pipes = stdio.slice(firstDescriptor, firstDescriptor + launch.pipes)
    for (const pipe of this.pipes) pipe.on('error', () => {})
    this.log = (child.stderr as Readable).on('error', () => {})
    alive.add(this)
    this.ended = this.#end().finally(() => release?.())
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    try {
      // While the child has not been waited for, its own child's pid is nobody else's: it is the one who waits for that.
      process.kill(this.pid, name)
    } catch (error) {
      // It has ended, and its end is on its way here.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  #end(): Promise<VmEnd> {
    return new Promise((resolve) => {
      this.#child.once('exit', (exitCode, signal) => {
        alive.delete(this)
        // A reader that has stopped would hold its pipe open for ever: nothing more can come.
        setImmediate(() => {
          for (const pipe of this.pipes) if (pipe.readableFlowing !== true) pipe.destroy()
        })
        const end = this.pid === this.#child.pid ? { exitCode, signal } : endBehind(exitCode, signal)
        this.#child.once('close', () => resolve(end))
      })
    })
  }
}

/** The end of what stands behind the child, by how the child ended: one that waits for another says a signal as an exit code. */
function endBehind(exitCode: number | null, signal: NodeJS.Signals | null): VmEnd {
  const number = (exitCode ?? 0) - signalExitCode
  const [name] = Object.entries(constants.signals).find(([, value]) => value === number) ?? []
  return name === undefined ? { exitCode, signal } : { exitCode: null, signal: name as NodeJS.Signals }
}

function startFailure({ id, program }: Launch, cause: NodeJS.ErrnoException): WarmcellError {
  const hint =
    cause.code === 'EMFILE' || cause.code === 'ENFILE'
      ? 'Raise the limit of open files (ulimit -n): a microVM takes about ten.'
      : cause.code === 'EAGAIN' || cause.code === 'ENOMEM'
        ? 'The host has no process or memory left for another microVM: lower the budget of the pool.'
        : undefined
  const message = `${program.hostPath} could not be started: ${cause.message}.`
  return new WarmcellError('BOOT_FAILED', message, { sandboxId: id, cause, hint })
}
