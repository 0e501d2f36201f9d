/** What is run in the guest while a template is built: the commands of its setup, and what goes on in every clone. */

import { setTimeout as delay } from 'node:timers/promises'
import type { ProcessSpec } from '../../agent/index.ts'
import { definedOnly } from '../../common/defined.ts'
import { WarmcellError } from '../../errors.ts'
import type { Template } from '../template.ts'
import type { BuildGuest, Ended, Running } from './guest.ts'
import type { BuildLog } from './log.ts'
import { describeReady, untilReady } from './ready.ts'

/**
 * How far the guest's clock is behind while its start command begins, in milliseconds: a day. A program that draws new random numbers once they are too old, as OpenSSL 3
 * does after an hour (its generators of threads after seven minutes: `reseed_time_interval`,
 * https://github.com/openssl/openssl/blob/master/providers/implementations/rands/drbg.c), finds them too old in every clone, however young the template is: a
 * clone has the right time.
 */
const startClockBehindMs = 86_400_000

/** To set it: one round trip. */
const clockDeadlineMs = 10_000

/**
 * How long a start command without a `ready` is watched before the snapshot, in milliseconds: one that cannot start at all (a wrong option, a port in use) has ended by
 * then, and would be missing in every clone.
 */
const startWatchMs = 500

/** Between two looks at it. */
const startPollMs = 50

/** Runs those commands of the setup whose places are in a range, the first of them included and the last not. @throws `BOOT_FAILED` that says which one has failed. */
export async function runSetup(
  guest: BuildGuest,
  { name, env, setup }: Template,
  log: BuildLog,
  [first, end]: readonly [number, number],
): Promise<void> {
  for (const [index, command] of setup.slice(first, end).entries()) {
    const what = `setup command ${first + index + 1} of ${setup.length} (\`${brief(command)}\`)`
    log.step('setup', commandOf(setup, first + index))
    const program = ['/bin/sh', '-c', command]
    const ended = await guest
      .run({ arguments: program, environment: definedOnly(env), cwd: '/', user: 'root', stdin: 'closed' }, what)
      .catch(explainSpawn(name, what))
    if (ended.exit.exitCode !== 0) throw failed(name, what, ended)
  }
}

/** For whoever listens. */
export function commandOf(setup: readonly string[], index: number): string {
  return `${index + 1} of ${setup.length}: ${brief(setup[index] ?? '')}`
}

/** What the start command is begun with. */
interface Beginning {
  readonly template: Template
  readonly log: BuildLog
  readonly signal: AbortSignal
  readonly readyDeadlineMs?: number | undefined
}

/** Returns what throws when the start command has failed by then. */
export async function startAndWait(guest: BuildGuest, beginning: Beginning): Promise<() => Promise<void>> {
  const { template, log, signal, readyDeadlineMs: deadlineMs } = beginning
  const { name, ready } = template
  let running: Running | undefined
  let what = ''
  if (template.start !== undefined) {
    const shown = brief(typeof template.start === 'string' ? template.start : template.start.join(' '))
    what = `the start command (\`${shown}\`)`
    log.step('start', shown)
    await guest.attempt(what, (machine) => machine.setBack(startClockBehindMs, { signal, timeoutMs: clockDeadlineMs }))
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
