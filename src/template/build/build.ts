/** Making a template, stage by stage: boot it, set it up, start what shall run in every clone, wait until it is ready, save it. */

import { setTimeout as delay } from 'node:timers/promises'
import type { Machine } from '../../machine/index.ts'
import { idleProgram, probeInterpreters } from '../exercise.ts'
import type { BuildGuest } from './guest.ts'
import { commandOf, runSetup, startAndWait } from './steps.ts'
import { Workbench, type WorkbenchParts } from './workbench.ts'

/**
 * How long the guest is left alone before it is saved, in milliseconds: what its kernel still does once after booting is done then, and not in every clone again.
 * Measured emulated: a clone translates a thousand blocks less before its first answer.
 */
const settleMs = 500

/** Of each program that is run only so that it has been run. */
const exerciseDeadlineMs = 30_000

export interface Build extends WorkbenchParts {
  readonly stages: Stages
  readonly readyDeadlineMs?: number | undefined
}

/** What is kept of a build's setup, by it and by others. */
export interface Stages {
  /** After how many commands a stage is kept, in ascending order. */
  readonly after: readonly number[]
  /** Fills the build's files from the longest beginning of the setup that is stored. Returns how many commands have been run in it: 0 when there is none, and no file either. */
  restore(): Promise<number>
  /**
   * Brings the build as far as after so many commands: by what somebody else has stored meanwhile, which is then in its files, or by its own work, of which a stage is
   * kept where there is room for it.
   *
   * @returns whether it was there
   * @throws what the work throws; the signal's reason.
   */
  reach(commands: number, work: StageWork): Promise<boolean>
}

export interface StageWork {
  /** Runs the commands. */
  run(): Promise<void>
  /** Leaves the guest in the build's files, has these copied, and goes on. */
  pause(copying: () => Promise<void>): Promise<void>
  /** Ends the guest: what is in the build's files is not wanted. */
  abandon(): Promise<void>
}

/**
 * Leaves the memory and the state in their files, and nothing else running.
 *
 * @throws `BOOT_FAILED` that says at which step and shows the end of what was printed; the signal's reason.
 */
export async function buildSnapshot(build: Build): Promise<void> {
  const { template, stages, log, signal } = build
  const { setup } = template
  let done = await stages.restore()
  for (let command = 0; command < done; command++) log.cached(commandOf(setup, command))
  const bench = new Workbench(build)
  const runUpTo = async (commands: number): Promise<void> => {
    await runSetup(await bench.guest(done > 0), template, log, [done, commands])
  }
  try {
    for (const commands of stages.after.filter((number) => number > done)) {
      const found = await stages.reach(commands, {
        run: () => runUpTo(commands),
        pause: (copying) => bench.pause(copying),
        abandon: () => bench.end(),
      })
      if (found) log.cached(commandOf(setup, commands - 1))
      done = commands
    }
    await runUpTo(setup.length)
    await finish(await bench.guest(done > 0), build)
    await bench.save()
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    await bench.end()
  }
}

/** What comes when it is set up. */
async function finish(guest: BuildGuest, build: Build): Promise<void> {
  const assertRunning = await startAndWait(guest, build)
  build.log.step('snapshot', 'exercising, then saving memory and devices')
  await guest.attempt('its exercise', (machine) => tread(machine, build))
  await guest.settle('the look whether it still runs')
  await assertRunning()
}

/** What a first command needs is in memory from then on, and shared by all clones: the shell, and what starts a program. */
async function tread(machine: Machine, { template, signal }: Build): Promise<void> {
  const options = { signal, timeoutMs: exerciseDeadlineMs }
  const program = idleProgram(template)
  for (const one of [program, { ...program, arguments: ['/bin/sh', '-c', ':'] }, program]) await machine.exercise(one, options)
  await probeInterpreters(machine, template, options)
  await delay(settleMs, undefined, { signal })
}
