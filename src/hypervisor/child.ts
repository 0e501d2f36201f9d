/** A launched program as a child process of this one: its inheritance laid out, its end made certain. */

import { type ChildProcess, spawn } from 'node:child_process'
import { type FileHandle, open, rm, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { type Duplex, PassThrough, pipeline, type Readable } from 'node:stream'
import { RetainedBytes } from '../common/retained.ts'
import { WarmcellError } from '../errors.ts'
import { assertDescriptorsFor } from './descriptor-room.ts'
import type { VmEnd } from './hypervisor.ts'
import { firstDescriptor, type Launch, type Launched, type StandardStreams } from './launcher.ts'
import { strayDescriptors } from './stray-descriptors.ts'

/** Nothing of the host's environment is a child's business. */
const childEnvironment = { PATH: '/usr/bin:/bin', LC_ALL: 'C' } as const

/** Shells, and bwrap, say the signal that ended what they started as an exit code above this: POSIX.1, 2.8.2. */
const signalExitCode = 128

/** How much of a program's log is kept for messages, in bytes. */
const logBytesMax = 16_384

/** Every child of this Node process, so that an ordinary exit of it ends them in the same breath. */
const alive = new Set<LaunchedChild>()
process.on('exit', () => {
  for (const child of alive) child.signal('SIGKILL')
})

export interface StartOptions {
  /** How many pipes of this process's own it inherits behind what the launch asks for. */
  readonly ownPipes?: number
  /** Clears away what was made for it, once it has ended. */
  readonly release?: () => Promise<void>
}

/** Makes the files that a launch is to write, and starts it: none of them is left when that fails. @throws `BOOT_FAILED` when one is there already or cannot be made. */
export async function withFiles<T>(launch: Launch, start: () => Promise<T>): Promise<T> {
  const made: string[] = []
  try {
    for (const hostPath of launch.writes) {
      await writeFile(hostPath, '', { flag: 'wx', mode: 0o600 })
      made.push(hostPath)
    }
    return await start()
  } catch (cause) {
    for (const hostPath of made) await rm(hostPath, { force: true })
    throw WarmcellError.is(cause) ? cause : startFailure(launch, cause as NodeJS.ErrnoException)
  }
}

/**
 * Starts the command with what the launch inherits: pipes, then its files.
 *
 * @throws `BOOT_FAILED` when the system starts no process, or has no such file.
 */
export async function startChild(command: readonly string[], launch: Launch, options: StartOptions = {}): Promise<LaunchedChild> {
  const { ownPipes = 0, release } = options
  const files: FileHandle[] = []
  try {
    for (const hostPath of launch.opens) files.push(await open(hostPath, 'r'))
    const pipes = (count: number) => Array<'pipe'>(count).fill('pipe')
    const standard = launch.standard ? 'pipe' : 'ignore'
    const stdio = [standard, standard, 'pipe', ...pipes(launch.pipes), ...files.map(({ fd }) => fd), ...pipes(ownPipes)] as const
    const [file = '', ...args] = command
    const inherited = await withoutStrays(stdio, files)
    assertDescriptorsFor(inherited)
    const child = spawn(file, args, { stdio: inherited, cwd: '/', env: childEnvironment })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    return new LaunchedChild(child, launch, release)
  } catch (cause) {
    throw startFailure(launch, cause as NodeJS.ErrnoException)
  } finally {
    await Promise.all(files.map((file) => file.close()))
  }
}

/** Leads what it would inherit beside to nowhere. */
async function withoutStrays(stdio: readonly StdioItem[], files: FileHandle[]): Promise<StdioItem[]> {
  const strays = (await strayDescriptors()).filter((descriptor) => descriptor >= stdio.length)
  if (strays.length === 0) return [...stdio]
  const nowhere = await open('/dev/null', 'r')
  files.push(nowhere)
  const all = [...stdio, ...Array<StdioItem>(Math.max(...strays) + 1 - stdio.length).fill('ignore')]
  for (const descriptor of strays) all[descriptor] = nowhere.fd
  return all
}

/** As it is, also when nobody reads before the child has exited: what is unread then, Node throws away. */
function kept(stdout: Readable): Readable {
  const output = new PassThrough()
  pipeline(stdout, output, () => {})
  return output
}

type StdioItem = 'ignore' | 'pipe' | number

export class LaunchedChild implements Launched {
  readonly pipes: readonly Duplex[]
  readonly standard: StandardStreams | undefined
  /** Those that are this process's own. */
  readonly ownPipes: readonly Duplex[]
  readonly #log = new RetainedBytes(logBytesMax, 'tail')
  readonly ended: Promise<VmEnd>
  readonly #child: ChildProcess
  /** Of the program, where that is not the child itself. */
  #pidBehind: number | undefined

  constructor(child: ChildProcess, { pipes, opens }: Launch, release: (() => Promise<void>) | undefined) {
    this.#child = child
    // Node types no more than the first five of them; each was asked for as a 'pipe', which is a socket.
    const stdio = child.stdio as unknown as readonly Duplex[]
    this.pipes = stdio.slice(firstDescriptor, firstDescriptor + pipes)
    this.ownPipes = stdio.slice(firstDescriptor + pipes + opens.length).filter((pipe) => pipe !== null)
    const { stdin, stdout } = child
    this.standard = stdin && stdout ? { input: stdin, output: kept(stdout) } : undefined
    for (const pipe of [...this.pipes, ...this.ownPipes, stdin, stdout]) pipe?.on('error', () => {})
    // From the first byte on: what a child has left unread when it exits, Node throws away.
    const log = child.stderr as Readable
    log.on('error', () => {}).on('data', (chunk: Buffer) => this.#log.push(chunk))
    alive.add(this)
    this.ended = this.#end().finally(() => release?.())
  }

  get pid(): number {
    return this.#pidBehind ?? (this.#child.pid as number)
  }

  /** The child only waits for the program, and ends as it does. */
  standsFor(pid: number): void {
    this.#pidBehind = pid
  }

  logTail(): string {
    return this.#log.text()
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    try {
      // The child ends right after the program behind it: for a pid to be somebody else's by then, all others would have been given out in between.
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
          for (const pipe of [...this.pipes, ...this.ownPipes]) if (pipe.readableFlowing !== true) pipe.destroy()
        })
        const end = this.#pidBehind === undefined ? { exitCode, signal } : endBehind(exitCode, signal)
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

/** In words, with what to do about what the host is short of. */
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
