/** One QEMU process: started so that it cannot outlive its host, heard while it runs, and its end made certain. */

import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex, Readable } from 'node:stream'
import { RetainedBytes } from '../../common/retained.ts'
import { foreignLines } from '../../common/text.ts'
import { WarmcellError } from '../../errors.ts'
import type { ParkedVm, Vm, VmEnd } from '../hypervisor.ts'
import { inherited } from './arguments.ts'
import { QmpClient } from './qmp.ts'
import { StopGuard } from './stopped.ts'

/** How much of the console and of QEMU's log is kept for messages, in bytes: a kernel panic with its trace is about 4 KiB. */
const tailBytesMax = 16_384

/** Every QEMU of this Node process, so that an ordinary exit of the host ends them in the same breath. */
const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

export class QemuProcess implements Vm, ParkedVm {
  readonly pid: number
  readonly agentPipe: Duplex
  readonly qmp: QmpClient
  readonly ended: Promise<VmEnd>
  readonly #child: ChildProcess
  readonly #console = new RetainedBytes(tailBytesMax, 'tail')
  readonly #log = new RetainedBytes(tailBytesMax, 'tail')

  /** What it is to load, where it is a clone. */
  readonly #hostStatePath: string | undefined
  readonly #stops = new StopGuard(
    () => this.pid,
    () => void this.kill(),
  )

  private constructor(child: ChildProcess, pid: number, hostStatePath: string | undefined) {
    this.#child = child
    this.pid = pid
    this.#hostStatePath = hostStatePath
    // Node types no more than the first five of them; each was asked for as a 'pipe', which is a socket.
    const pipes = child.stdio as unknown as readonly Duplex[]
    const pipe = (descriptor: number): Duplex => pipes[descriptor] as Duplex
    this.agentPipe = pipe(inherited.agent)
    const control = pipe(inherited.qmp)
    this.qmp = new QmpClient(control)
    const console = pipe(inherited.console)
    console.on('data', (chunk: Buffer) => this.#console.push(chunk)).on('error', () => {})
    const log = child.stderr as Readable
    log.on('data', (chunk: Buffer) => this.#log.push(chunk)).on('error', () => {})
    this.agentPipe.on('error', () => {})
    alive.add(child)
    this.ended = new Promise((resolve) => {
      child.once('exit', (exitCode, signal) => {
        alive.delete(child)
        this.#stops.end()
        // A reader that has stopped would hold its pipe open for ever: nothing more can come, so the host's ends are closed with the process.
        setImmediate(() => {
          for (const pipe of [this.agentPipe, control]) pipe.destroy()
        })
        const { reason } = this.#stops
        child.once('close', () => resolve({ exitCode, signal, ...(reason !== undefined && { reason }) }))
      })
    })
  }

  /**
   * Starts `command`, with pipes where QEMU's arguments expect them. `parentDeath` is the path of util-linux's setpriv, by which the kernel
   * ends QEMU when the thread that started it ends (prctl PR_SET_PDEATHSIG): that is the host being killed, or the worker thread a pool lives in ending.
   *
   * @throws `BOOT_FAILED` when the system starts no process.
   */
  static async start(
    command: string,
    args: readonly string[],
    parentDeath: string | undefined,
    hostStatePath?: string,
  ): Promise<QemuProcess> {
    const [file, argv] =
      parentDeath === undefined ? [command, args] : [parentDeath, ['--pdeathsig', 'KILL', '--', command, ...args]]
    const child = spawn(file, argv, {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      cwd: '/',
      // Nothing of the host's environment is QEMU's business.
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', (cause) => reject(startFailure(cause)))
    })
    return new QemuProcess(child, child.pid as number, hostStatePath)
  }

  consoleTail(): string {
    return foreignLines(this.#console.text())
  }

  logTail(): string {
    return foreignLines(this.#log.text())
  }

  /** By signal: it needs no answer, and the guest's clocks, which are the host's, go on (docs/decisions/0012). */
  pause(): void {
    this.#stops.pausing()
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
    this.#stops.resumed()
  }

  async save(hostStatePath: string): Promise<void> {
    await this.qmp.execute('stop')
    await this.qmp.prepareMigration()
    await this.qmp.migrate('migrate', hostStatePath)
  }

  async load(): Promise<Vm> {
    if (this.#hostStatePath === undefined) throw new WarmcellError('BOOT_FAILED', 'This QEMU was not started to load a snapshot.')
    await this.qmp.migrate('migrate-incoming', this.#hostStatePath)
    return this
  }

  kill(): Promise<VmEnd> {
    this.#child.kill('SIGKILL')
    return this.ended
  }
}

function startFailure(cause: Error): WarmcellError {
  const { code } = cause as NodeJS.ErrnoException
  const hint =
    code === 'EMFILE' || code === 'ENFILE'
      ? 'Raise the limit of open files (ulimit -n): a microVM takes about ten.'
      : code === 'EAGAIN' || code === 'ENOMEM'
        ? 'The host has no process or memory left for another microVM: lower the budget of the pool.'
        : undefined
  return new WarmcellError('BOOT_FAILED', `QEMU could not be started: ${cause.message}.`, { cause, hint })
}
