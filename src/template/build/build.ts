/** Making a template, stage by stage: boot it, set it up, start what shall run in every clone, wait until it is ready, save it. */

import { setTimeout as delay } from 'node:timers/promises'
import type { Hypervisor, SnapshotFiles, VmSpec } from '../../hypervisor/index.ts'
import { bootMachine, type Machine, reopenMachine } from '../../machine/index.ts'
import { idleProgram, probeInterpreters } from '../exercise.ts'
import type { Template } from '../template.ts'
import { BuildGuest } from './guest.ts'
import type { BuildLog } from './log.ts'
import { commandOf, runSetup, startAndWait } from './steps.ts'

/** To stop the guest and write 50 KiB: milliseconds, seconds on a host that swaps or on a slow disk. */
const saveDeadlineMs = 30_000

/**
 * How long the guest is left alone before it is saved, in milliseconds: what its kernel still does once after booting is done then, and not in every clone again.
 * Measured emulated: a clone translates a thousand blocks less before its first answer.
 */
const settleMs = 500

/** Of each program that is run only so that it has been run. */
const exerciseDeadlineMs = 30_000

export interface Build {
  readonly hypervisor: Hypervisor
  readonly template: Template
  /** With the files that it is saved to. */
  readonly plan: VmSpec & { readonly savesTo: SnapshotFiles }
  readonly stages: Stages
  readonly log: BuildLog
  readonly signal: AbortSignal
  readonly readyDeadlineMs?: number | undefined
}

/** What is kept of a build's setup, by it and by others. */
export interface Stages {
  /** After how many commands a stage is kept, in ascending order. */
  readonly after: readonly number[]
  /** Fills the build's files from the longest beginning of the setup that is stored. Returns how many commands have been run in it: 0 when there is none, and no file either. */
  restore(): Promise<number>
  /**
   * Brings the build's files as far as after so many commands: by what somebody else has stored meanwhile, or by the work, of which a stage is kept where there is room
   * for it.
   *
   * @returns whether it was there
   * @throws what the work throws; the signal's reason.
   */
  reach(commands: number, work: () => Promise<void>): Promise<boolean>
}

/**
 * Leaves the memory and the state in their files, and nothing else running.
 *
 * @throws `BOOT_FAILED` that says at which step and shows the end of what was printed; the signal's reason.
 */
export async function buildSnapshot(build: Build): Promise<void> {
  const { template, stages, log } = build
  const { setup } = template
  let done = await stages.restore()
  for (let command = 0; command < done; command++) log.cached(commandOf(setup, command))
  for (const commands of stages.after.filter((number) => number > done)) {
    const from = done
    const work = (): Promise<void> => inMachine(build, from > 0, (guest) => runSetup(guest, template, log, [from, commands]))
    if (await stages.reach(commands, work)) log.cached(commandOf(setup, commands - 1))
    done = commands
  }
  await inMachine(build, done > 0, (guest, machine) => finish(guest, machine, build, done))
}

/** The last stage, which becomes the template. */
async function finish(guest: BuildGuest, machine: Machine, build: Build, done: number): Promise<void> {
  const { template, log } = build
  await runSetup(guest, template, log, [done, template.setup.length])
  const assertRunning = await startAndWait(guest, machine, build)
  log.step('snapshot', 'exercising, then saving memory and devices')
  await guest.attempt('its exercise', () => tread(machine, build))
  await guest.settle('the look whether it still runs')
  await assertRunning()
}

/** Does a part of the work in a microVM that boots, or goes on from the build's files, and leaves it in these. */
async function inMachine(
  { hypervisor, template, plan, log, signal }: Build,
  goesOn: boolean,
  work: (guest: BuildGuest, machine: Machine) => Promise<void>,
): Promise<void> {
  if (!goesOn) log.step('boot', `${plan.vcpus} vCPU, ${plan.memoryMib} MiB, ${plan.isolation}`)
  const machine = goesOn
    ? await reopenMachine(hypervisor, { ...plan, ...plan.savesTo }, plan.id, { signal })
    : await bootMachine(hypervisor, plan, { signal, template: true })
  try {
    const guest = new BuildGuest(template.name, machine, log, signal)
    await work(guest, machine)
    await guest.attempt('the snapshot', () => machine.save({ signal, timeoutMs: saveDeadlineMs }))
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    await machine.destroy()
  }
}

/** What a first command needs is in memory from then on, and shared by all clones: the shell, and what starts a program. */
async function tread(machine: Machine, { template, signal }: Build): Promise<void> {
  const options = { signal, timeoutMs: exerciseDeadlineMs }
  const program = idleProgram(template)
  for (const one of [program, { ...program, arguments: ['/bin/sh', '-c', ':'] }, program]) await machine.exercise(one, options)
  await probeInterpreters(machine, template, options)
  await delay(settleMs, undefined, { signal })
}
