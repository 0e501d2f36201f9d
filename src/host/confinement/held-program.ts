/** A program of the system that works through its standard streams, on bytes that may be hostile: held as a hypervisor is. */

import { availableParallelism } from 'node:os'
import { findProgram, type Launched, type LaunchedProgram, type Launcher, type StandardStreams } from '../../hypervisor/index.ts'
import { confine } from './confine.ts'

/** Far more than a thread for each of a few jobs. */
const threadsMax = 64

/** What one run of it gets, and may take. */
export interface ProgramUse {
  readonly args: readonly string[]
  readonly memoryMib: number
  /** The one file that it writes: made before it starts. */
  readonly output?: { readonly hostPath: string; readonly mibMax: number } | undefined
}

export class HeldProgram {
  readonly #name: string
  readonly #program: LaunchedProgram
  readonly #launcher: Launcher

  private constructor(name: string, program: LaunchedProgram, launcher: Launcher) {
    this.#name = name
    this.#program = program
    this.#launcher = launcher
  }

  /** Where it is, without asking it anything. */
  static where(name: string): Promise<string | undefined> {
    return findProgram(name)
  }

  /**
   * One that needs nothing of the host but its libraries, by its name; undefined where there is none.
   *
   * @param hostDirectory of this user alone: what the program sees of the host is kept there
   */
  static async find(name: string, hostDirectory: string): Promise<HeldProgram | undefined> {
    const hostPath = await HeldProgram.where(name)
    if (hostPath === undefined) return undefined
    const program = { hostPath, hostDataPaths: [] }
    return new HeldProgram(name, program, (await confine(program, hostDirectory)).launcher)
  }

  /** Written down nowhere: its input ends with this process, and so does it. @throws `BOOT_FAILED` when it could not be started */
  async start({ args, memoryMib, output }: ProgramUse): Promise<Launched & { readonly standard: StandardStreams }> {
    const launched = await this.#launcher.launch({
      id: this.#name,
      ...{ program: this.#program, args, standard: true, pipes: 0, opens: [], reads: [], updates: [], devices: [] },
      writes: output === undefined ? [] : [output.hostPath],
      limits: { memoryMib, threads: threadsMax, cpus: availableParallelism(), fileMib: output?.mibMax ?? 0 },
    })
    return launched as Launched & { readonly standard: StandardStreams }
  }
}
