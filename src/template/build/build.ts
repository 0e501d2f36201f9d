/** Making a template: boot it, set it up, start what shall run in every clone, wait until it is ready, save it. */

import { setTimeout as delay } from 'node:timers/promises'
import type { ProcessSpec } from '../../agent/index.ts'
import { definedOnly } from '../../common/defined.ts'
import { WarmcellError } from '../../errors.ts'
import type { Hypervisor, SnapshotFiles, VmSpec } from '../../hypervisor/index.ts'
import { bootMachine, type Machine } from '../../machine/index.ts'
import { idleProgram, probeInterpreters } from '../exercise.ts'
import type { Template } from '../template.ts'
import { BuildGuest, type Ended, type Running } from './guest.ts'
import type { BuildLog } from './log.ts'
import { describeReady, untilReady } from './ready.ts'

/** To stop the guest and write 50 KiB: milliseconds, seconds on a host that swaps or on a slow disk. */
const saveDeadlineMs = 30_000

/**
 * How long a start command without a `ready` is watched before the snapshot, in milliseconds: one that cannot start at all (a wrong option, a port in use) has ended by
 * then, and would be missing in every clone.
 */
const startWatchMs = 500

/**
 * How long the guest is left alone before it is saved, in milliseconds: what its kernel still does once after booting is done then, and not in every clone again.
 * Measured emulated: a clone translates a thousand blocks less before its first answer.
 */
const settleMs = 500

/** Of each program that is run only so that it has been run. */
const exerciseDeadlineMs = 30_000

/** Between two looks at it. */
const startPollMs = 50

export interface Build {
  readonly hypervisor: Hypervisor
  readonly template: Template
  /** With the files that it is saved to. */
  readonly plan: VmSpec & { readonly savesTo: SnapshotFiles }
  readonly log: BuildLog
  readonly signal: AbortSignal
  readonly readyDeadlineMs?: number | undefined
}

/**
 * Leaves the memory and the state in their files, and nothing else.
 *
 * @throws `BOOT_FAILED` that says at which step and shows the end of what was printed; the signal's reason.
 */
export async function buildSnapshot(build: Build): Promise<void> {
  const { hypervisor, template, plan, log, signal } = build
  log.step('boot', `${plan.vcpus} vCPU, ${plan.memoryMib} MiB, ${plan.isolation}`)
  const machine = await bootMachine(hypervisor, plan, { signal, template: true })
  try {
    const guest = new BuildGuest(template.name, machine, log, signal)
    await setUp(guest, template, log)
    const assertRunning = await start(guest, build)
    log.step('snapshot', 'exercising, then saving memory and devices')
    await guest.attempt('its exercise', () => tread(machine, build))
    await guest.settle('the look whether it still runs')
    await assertRunning()
    await guest.attempt('the snapshot', () => machine.save({ signal, timeoutMs: saveDeadlineMs }))
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    await machine.destroy()
  }
}

async function setUp(guest: BuildGuest, { name, env, setup }: Template, log: BuildLog): Promise<void> {
  for (const [index, command] of setup.entries()) {
    const what = `setup command ${index + 1} of ${setup.length} (\`${brief(command)}\`)`
    log.step('setup', `${index + 1} of ${setup.length}: ${brief(command)}`)
    const program = ['/bin/sh', '-c', command]
    const ended = await guest
      .run({ arguments: program, environment: definedOnly(env), cwd: '/', user: 'root', stdin: 'closed' }, what)
      .catch(explainSpawn(name, what))
    if (ended.exit.exitCode !== 0) throw failed(name, what, ended)
  }
}

/** Returns what throws when the start command has failed by then. */
async function start(guest: BuildGuest, build: Build): Promise<() => Promise<void>> {
  const { template, log, signal, readyDeadlineMs: deadlineMs } = build
  const { name, ready } = template
  let running: Running | undefined
  let what = ''
  if (template.start !== undefined) {
    const shown = brief(typeof template.start === 'string' ? template.start : template.start.join(' '))
    what = `the start command (\`${shown}\`)`
    log.step('start', shown)
    running = await guest.leaveRunning(startProgram(template, template.start), what).catch(explainSpawn(name, what))
  }
  const assertRunning = async (): Promise<void> => {
    const ended = await running?.ended()
    if (ended !== undefined && ended.exit.exitCode !== 0) throw failed(name, what, ended)
  }
  if (ready !== undefined) {
    log.step('ready', describeReady(ready))
    await untilReady(guest, template, ready, { signal, assertRunning, deadlineMs })
  } else if (running !== undefined) {
    const until = performance.now() + startWatchMs
    while (performance.now() < until && (await running.ended()) === undefined) await delay(startPollMs, undefined, { signal })
  }
  return assertRunning
}

/** What a first command needs is in memory from then on, and shared by all clones: the shell, and what starts a program. */
async function tread(machine: Machine, { template, signal }: Build): Promise<void> {
  const options = { signal, timeoutMs: exerciseDeadlineMs }
  const program = idleProgram(template)
  for (const one of [program, { ...program, arguments: ['/bin/sh', '-c', ':'] }, program]) await machine.exercise(one, options)
  await probeInterpreters(machine, template, options)
  await delay(settleMs, undefined, { signal })
}

function startProgram({ env, cwd, user }: Template, start: string | readonly string[]): ProcessSpec {
  const program = typeof start === 'string' ? ['/bin/sh', '-c', start] : start
  return { arguments: program, environment: definedOnly(env), cwd, user, stdin: 'closed' }
}

function failed(name: string, what: string, { exit, tail }: Ended): WarmcellError {
  const hint = exit.oomKilled ? 'The guest had no memory left: raise memoryMib.' : undefined
  const error = new WarmcellError('BOOT_FAILED', `template '${name}': ${what} exited with ${exit.exitCode}.`, {
    retryable: false,
    hint,
  })
  error.message += tail === '' ? ' It printed nothing.' : `\nThe end of its output:\n${tail}`
  return error
}

/** A command that cannot even be started is the template's fault as well. */
function explainSpawn(name: string, what: string): (cause: unknown) => never {
  return (cause) => {
    if (!WarmcellError.is(cause) || (cause.code !== 'SPAWN_FAILED' && cause.code !== 'INVALID_ARGUMENT')) throw cause
    const { hint } = cause
    const message = hint === undefined ? cause.message : cause.message.replace(` ${hint}`, '')
    throw new WarmcellError('BOOT_FAILED', `template '${name}': ${what} was not started: ${message}`, {
      retryable: false,
      hint,
      cause,
    })
  }
}

/** As much of a command as tells it from others. */
function brief(command: string): string {
  const line = command.replace(/\s+/g, ' ').trim()
  return line.length > 80 ? `${line.slice(0, 80)}…` : line
}
