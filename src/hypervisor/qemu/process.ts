/** One QEMU process: started so that it cannot outlive its host, heard while it runs, and its end made certain. */

import type { Duplex } from 'node:stream'
import { RetainedBytes } from '../../common/retained.ts'
import { foreignLines } from '../../common/text.ts'
import { WarmcellError } from '../../errors.ts'
import type { ParkedVm, SnapshotFiles, Vm, VmEnd } from '../hypervisor.ts'
import type { Launched } from '../launcher.ts'
import { pipes } from './arguments.ts'
import { QmpClient } from './qmp.ts'
import { StopGuard } from './stopped.ts'

/** How much of the console is kept for messages, in bytes: a kernel panic with its trace is about 4 KiB. */
const consoleBytesMax = 16_384

/** Which snapshot it is for: to load, or to be saved to. */
export interface QemuSnapshot {
  readonly loads?: SnapshotFiles | undefined
  readonly savesTo?: SnapshotFiles | undefined
}

export class QemuProcess implements Vm, ParkedVm {
  readonly pid: number
  readonly agentPipe: Duplex
  readonly qmp: QmpClient
  readonly ended: Promise<VmEnd>
  readonly #launched: Launched
  readonly #snapshot: QemuSnapshot
  readonly #console = new RetainedBytes(consoleBytesMax, 'tail')
  readonly #stops = new StopGuard(
    () => this.pid,
    () => void this.kill(),
  )

  constructor(launched: Launched, snapshot: QemuSnapshot) {
    this.#launched = launched
    this.#snapshot = snapshot
    this.pid = launched.pid
    this.ended = this.#end()
    const pipe = (index: number): Duplex => launched.pipes[index] as Duplex
    this.agentPipe = pipe(pipes.agent)
    this.qmp = new QmpClient(pipe(pipes.qmp))
    pipe(pipes.console).on('data', (chunk: Buffer) => this.#console.push(chunk))
  }

  consoleTail(): string {
    return foreignLines(this.#console.text())
  }

  logTail(): string {
    return foreignLines(this.#launched.logTail())
  }

  /** By signal: it needs no answer, and the guest's clocks, which are the host's, go on (docs/decisions/0012). */
  pause(): void {
    this.#stops.pausing()
    this.#launched.signal('SIGSTOP')
  }

  resume(): void {
    this.#launched.signal('SIGCONT')
    this.#stops.resumed()
  }

  async save(): Promise<void> {
    const { savesTo } = this.#snapshot
    if (savesTo === undefined) throw new WarmcellError('BOOT_FAILED', 'This QEMU was not started to be saved.')
    await this.qmp.execute('stop')
    await this.qmp.prepareMigration()
    await this.qmp.migrate('migrate', savesTo.hostStatePath)
  }

  async goOn(): Promise<void> {
    await this.qmp.execute('cont')
  }

  async load(): Promise<Vm> {
    const { loads } = this.#snapshot
    if (loads === undefined) throw new WarmcellError('BOOT_FAILED', 'This QEMU was not started to load a snapshot.')
    await this.qmp.migrate('migrate-incoming', loads.hostStatePath)
    return this
  }

  kill(): Promise<VmEnd> {
    this.#launched.signal('SIGKILL')
    return this.ended
  }

  async #end(): Promise<VmEnd> {
    const end = await this.#launched.ended
    this.#stops.end()
    const { reason } = this.#stops
    return reason === undefined ? end : { ...end, reason }
  }
}
