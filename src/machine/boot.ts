/** A machine made by booting: named steps, each with a deadline and an undo. */

import { AgentConnection } from '../agent/index.ts'
import { Cleanup } from '../common/cleanup.ts'
import { type ErrorDetails, WarmcellError } from '../errors.ts'
import type { Hypervisor, Isolation, Vm, VmSpec } from '../hypervisor/index.ts'
import { freshIdentity } from './identity.ts'
import { Machine } from './machine.ts'
import { StepTimeout, step } from './step.ts'

/** From starting the hypervisor's process to its first answer: tens of milliseconds, seconds on a host that swaps. */
const hypervisorDeadlineMs = 15_000

/**
 * From there to the agent's answer. A stock kernel needs 2.5 s emulated on an idle core, and ten at once on two cores five times that;
 * with hardware it needs a third of a second. Past this the guest hangs.
 */
const guestDeadlineMs: Readonly<Record<Isolation, number>> = { emulated: 60_000, hardware: 15_000 }

/** The handshake is one round trip to an agent that has just answered: milliseconds, seconds on an overloaded host. */
const identityDeadlineMs = 10_000

export interface BootOptions {
  readonly signal?: AbortSignal
  /** In place of `guestDeadlineMs`. */
  readonly deadlineMs?: number
}

/**
 * Boots a microVM and gives it its identity.
 *
 * @throws `BOOT_FAILED` that says at which step, after how long, with the console's tail, and what to try; or the signal's reason. Nothing is left behind.
 */
export async function bootMachine(hypervisor: Hypervisor, spec: VmSpec, options: BootOptions = {}): Promise<Machine> {
  const { signal, deadlineMs = guestDeadlineMs[spec.isolation] } = options
  const startedAt = performance.now()
  const cleanup = new Cleanup()
  let vm: Vm | undefined
  try {
    vm = await step('start the hypervisor', hypervisorDeadlineMs, signal, (inner) => {
      const starting = hypervisor.start(spec, inner)
      // Also one that was given up: it may still come, and its process may not have ended.
      cleanup.defer(() => starting.then(async (late) => void (await late.kill())).catch(() => {}))
      return starting
    })
    const started = vm
    const connection = new AgentConnection(started.agentPipe)
    cleanup.defer(() => connection.close())
    await step('boot the guest', deadlineMs, signal, (inner) =>
      Promise.race([connection.ping({ signal: inner }), endedEarly(started)]),
    )
    // Only now: the clock in it must not have waited for the boot.
    await step('give it its identity', identityDeadlineMs, signal, (inner) =>
      Promise.race([connection.handshake(freshIdentity(spec.id), { signal: inner }), endedEarly(started)]),
    )
    cleanup.release()
    return new Machine(spec.id, started, connection)
  } catch (cause) {
    await cleanup.run()
    signal?.throwIfAborted()
    throw bootFailure(cause, spec, vm, performance.now() - startedAt)
  }
}

/** Rejects when the microVM ends: whatever else is awaited will not come. */
async function endedEarly(vm: Vm): Promise<never> {
  const { exitCode, signal } = await vm.ended
  throw new Error(`its process ended with ${signal ?? `exit code ${exitCode}`}`)
}

function bootFailure(cause: unknown, spec: VmSpec, vm: Vm | undefined, elapsedMs: number): WarmcellError {
  if (vm === undefined && WarmcellError.is(cause)) return cause
  const reason = cause instanceof Error ? cause.message : String(cause)
  const evidence = [
    ['The hypervisor said', vm?.logTail()],
    ['The end of the console', vm?.consoleTail()],
  ].flatMap(([title, text]) => (text ? [`\n${title}:\n${text}`] : []))
  const details: ErrorDetails = { sandboxId: spec.id, cause, hint: bootHint(cause, spec, vm) }
  const error = new WarmcellError(
    'BOOT_FAILED',
    `${spec.id} did not boot: ${reason} (${reached(vm)}, after ${Math.round(elapsedMs)} ms).`,
    details,
  )
  error.message += evidence.join('')
  return error
}

/** How far the guest came, by what its console says: the agent names each of its steps. */
function reached(vm: Vm | undefined): string {
  if (vm === undefined) return 'the hypervisor never answered'
  const console = vm.consoleTail()
  if (console === '') return 'the kernel printed nothing'
  const steps = [...console.matchAll(/warmcell-agent: ([^\n]{1,80})/g)]
  const last = steps.at(-1)?.[1]
  return last === undefined ? 'the kernel had started, its agent had not' : `the agent's last step was '${last}'`
}

function bootHint(cause: unknown, spec: VmSpec, vm: Vm | undefined): string {
  const console = vm?.consoleTail() ?? ''
  if (/out of memory|Out of memory|No working init|Cannot allocate/.test(console))
    return `Give it more memory than ${spec.memoryMib} MiB.`
  if (spec.isolation === 'hardware' && console === '') {
    return "No guest boots under this host's accelerator: see `warmcell doctor`, or ask for isolation 'emulated' (no security boundary, development only)."
  }
  if (cause instanceof StepTimeout) return 'The host may be overloaded: boot fewer at once, or look at the console below.'
  return 'Run `warmcell doctor` to see what this host lacks.'
}
