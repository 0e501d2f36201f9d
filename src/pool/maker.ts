/** Making one machine, by whatever way its template asks for: the steps, and which of them failed. */

import { randomBytes } from 'node:crypto'
import { setTimeout as rest } from 'node:timers/promises'
import { type ErrorCode, WarmcellError } from '../errors.ts'
import type { Machine, ParkedMachine } from '../machine/index.ts'
import { connectInterpreters, idleProgram, probeInterpreters, type Snapshot, type Template } from '../template/index.ts'
import type { MachineSource } from './source.ts'

/** At which step a microVM or a template was lost. */
export type FailureReason =
  /** The template could not be built. */
  | 'build'
  /** Its snapshot was found to be damaged. */
  | 'corrupt'
  /** The hypervisor's process did not come up. */
  | 'park'
  /** The snapshot could not be loaded, or the guest did not take its identity. */
  | 'clone'
  /** Of one that boots by itself. */
  | 'boot'
  /** Its first program did not come to an end. */
  | 'exercise'
  /** It was warm, and did not answer when it was taken. */
  | 'wake'
  /** It did not take its tenant's limits or files. */
  | 'bind'
  /** It ended by itself in stock. */
  | 'warm-ended'
  | 'parked-ended'

/** A step that failed, and what it comes to for whoever waits. */
export class StepFailure extends Error {
  readonly reason: FailureReason
  readonly error: WarmcellError

  constructor(reason: FailureReason, cause: unknown, id: string) {
    super(reason, { cause })
    this.reason = reason
    this.error = WarmcellError.is(cause) && telling.has(cause.code) ? cause : bootFailure(id, reason, cause)
  }
}

/** What whoever waits for a microVM can do something about. The rest is of the wire, and is told as what it comes to. */
const telling: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'BOOT_FAILED',
  'HOST_UNSUPPORTED',
  'IMAGE',
  'INVALID_ARGUMENT',
  'TEMPLATE_CORRUPT',
])

/** The exercise of an emulated guest takes 70 ms, on an overloaded host seconds. */
const exerciseDeadlineMs = 10_000

function newId(): string {
  return `wc-${randomBytes(6).toString('hex')}`
}

/** Parks a process. @throws `StepFailure`, or the signal's reason. */
export function park(source: MachineSource, snapshot: Snapshot, signal: AbortSignal): Promise<ParkedMachine> {
  const id = newId()
  return step('park', id, signal, () => source.park(snapshot, id, signal))
}

/** A machine that has its identity and belongs to nobody. @throws `StepFailure`, or the signal's reason; nothing is left behind. */
export async function make(
  source: MachineSource,
  template: Template,
  snapshot: Snapshot | undefined,
  parked: ParkedMachine | undefined,
  signal: AbortSignal,
): Promise<Machine> {
  if (snapshot === undefined) {
    const id = newId()
    return step('boot', id, signal, () => source.boot(template, id, signal))
  }
  const process = parked ?? (await park(source, snapshot, signal))
  return step('clone', process.id, signal, () => process.clone({ signal }))
}

/** How long a machine in the making stands still before it is exercised once more, in milliseconds: long enough for its timers to fall due. */
const restMs = 50

/**
 * Treads the way that a tenant's first command will take: as the template's user, in its directory, and after a rest as in stock, for waking up is a way of its own. Measured
 * emulated: a first command after one pass meets some 600 blocks that are yet to be translated, which is 4 ms; after these, 250.
 *
 * @throws `StepFailure`, or the signal's reason.
 */
export function exercise(machine: Machine, template: Template, signal: AbortSignal): Promise<void> {
  const program = idleProgram(template)
  const options = { signal, timeoutMs: exerciseDeadlineMs }
  return step('exercise', machine.id, signal, async () => {
    const tread = async (): Promise<void> => {
      await machine.exercise(program, options)
      await probeInterpreters(machine, template, options)
    }
    await tread()
    await tread()
    machine.pause()
    await rest(restMs, undefined, { signal })
    await machine.wake(options)
    await tread()
    await connectInterpreters(machine, template, options)
  })
}

async function step<T>(reason: FailureReason, id: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    signal.throwIfAborted()
    throw new StepFailure(reason, cause, id)
  }
}

function bootFailure(id: string, reason: FailureReason, cause: unknown): WarmcellError {
  const detail = cause instanceof Error ? cause.message : String(cause)
  return new WarmcellError('BOOT_FAILED', `${id} was lost at '${reason}': ${detail}`, {
    sandboxId: id,
    cause,
    hint: 'Run `warmcell doctor` to see what this host lacks.',
  })
}
