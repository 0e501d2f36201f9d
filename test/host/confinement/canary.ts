/** Runs the canary, a program that tries to get out, held as a hypervisor is held. */

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Confinement, confine } from '../../../src/host/index.ts'
import type { Launch, Launched, LaunchedProgram, VmEnd } from '../../../src/hypervisor/index.ts'
import type { Scratch } from '../../support/scratch.ts'

export class Canary {
  readonly program: LaunchedProgram
  readonly confinement: Confinement

  private constructor(program: LaunchedProgram, confinement: Confinement) {
    this.program = program
    this.confinement = confinement
  }

  static async hatch(scratch: Scratch, compilerOptions: readonly string[] = []): Promise<Canary> {
    const hostPath = scratch.join('canary')
    const source = fileURLToPath(new URL('canary.c', import.meta.url))
    execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', ...compilerOptions, '-o', hostPath, source])
    const program = { hostPath, hostDataPaths: [scratch.file('firmware', 'some')] }
    return new Canary(program, await confine(program, scratch.join('programs')))
  }

  launch(args: readonly string[], more: Partial<Launch> = {}): Promise<Launched> {
    return this.confinement.launcher.launch({
      ...{ id: 'wc-canary', program: this.program, args, pipes: 0, opens: [], reads: [], writes: [], updates: [], devices: [] },
      limits: { memoryMib: 128, threads: 32, cpus: 1, fileMib: 1 },
      ...more,
    })
  }

  /** What it says until it ends. */
  async run(args: readonly string[], more: Partial<Launch> = {}): Promise<VmEnd & { said: string }> {
    const launched = await this.launch(args, more)
    for (const pipe of launched.pipes) pipe.resume().write('.')
    const end = await launched.ended
    return { said: launched.logTail(), ...end }
  }
}
