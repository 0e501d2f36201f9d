/** A machine in the making: named steps, each with a deadline and an undo, and a failure that says how far it came. */

import { AgentConnection } from '../agent/index.ts'
import { Cleanup } from '../common/cleanup.ts'
import { type ErrorDetails, WarmcellError } from '../errors.ts'
import type { VmHardware, VmProcess } from '../hypervisor/index.ts'
import { describeEnd } from './describe-end.ts'
import { freshIdentity, type Origin } from './identity.ts'
import { StepTimeout, step } from './step.ts'

/** From starting the hypervisor's process to its first answer: tens of milliseconds, seconds on a host that swaps. */
const hypervisorDeadlineMs = 15_000

/** The handshake is one round trip to an agent that can answer, and the template's hooks: milliseconds, seconds on an overloaded host. */
const identityDeadlineMs = 20_000

/** Loading reads 50 KiB and maps a file: 1 ms, seconds on a host that swaps. */
export const loadDeadlineMs = 5_000

export class Making {
  readonly #id: string
  readonly #hardware: VmHardware
  /** For messages: `boot`, `load the snapshot`. */
  readonly #aim: string
  readonly #signal: AbortSignal | undefined
  readonly #cleanup = new Cleanup()
  readonly #startedAt = performance.now()
  #vm: VmProcess | undefined

  constructor(aim: string, id: string, hardware: VmHardware, signal: AbortSignal | undefined) {
    this.#aim = aim
    this.#id = id
    this.#hardware = hardware
    this.#signal = signal
  }

  /**
   * Does the work. What it has acquired belongs to its result, or is ended when it fails.
   *
   * @throws `BOOT_FAILED` that says at which step, after how long, with the console's tail, and what to try; or the signal's reason.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      const made = await work()
      this.#cleanup.release()
      return made
    } catch (cause) {
      await this.#cleanup.run()
      this.#signal?.throwIfAborted()
      throw this.#failure(cause)
    }
  }

  /** Starts the hypervisor's process. */
  async start<V extends VmProcess>(starting: (signal: AbortSignal) => Promise<V>): Promise<V> {
    const vm = await step('start the hypervisor', hypervisorDeadlineMs, this.#signal, (inner) => {
      const started = starting(inner)
      // Also one that was given up: it may still come, and its process may not have ended.
      this.#cleanup.defer(() => started.then(async (late) => void (await late.kill())).catch(() => {}))
      return started
    })
    this.#vm = vm
    return vm
  }

  /** Goes on with a process that was started before. */
  adopt(vm: VmProcess): void {
    this.#vm = vm
    this.#cleanup.defer(async () => void (await vm.kill()))
  }

  connect(pipe: ConstructorParameters<typeof AgentConnection>[0]): AgentConnection {
    const connection = new AgentConnection(pipe)
    this.#cleanup.defer(() => connection.close())
    return connection
  }

  /** One step after the start; it fails at once when the process ends. */
  step<T>(name: string, deadlineMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return step(name, deadlineMs, this.#signal, (inner) => Promise.race([work(inner), endedEarly(this.#vm)]))
  }

  /** The last step of all: until then nothing of a tenant may come near the guest. */
  async identify(connection: AgentConnection, origin: Origin): Promise<void> {
    await this.step('give it its identity', identityDeadlineMs, (signal) =>
      connection.handshake(freshIdentity(this.#id, origin), { signal }),
    )
  }

  #failure(cause: unknown): WarmcellError {
    const vm = this.#vm
    if (vm === undefined && WarmcellError.is(cause)) return cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    const evidence = [
      ['The hypervisor said', vm?.logTail()],
      ['The end of the console', vm?.consoleTail()],
    ].flatMap(([title, text]) => (text ? [`\n${title}:\n${text}`] : []))
    const details: ErrorDetails = { sandboxId: this.#id, cause, hint: this.#hint(cause) }
    const elapsedMs = Math.round(performance.now() - this.#startedAt)
    const what = `${this.#id} did not ${this.#aim}: ${reason}`
    const error = new WarmcellError('BOOT_FAILED', `${what} (${this.#reached()}, after ${elapsedMs} ms).`, details)
    error.message += evidence.join('')
    return error
  }

  /** How far the guest came, by what its console says: the agent names each of its steps. */
  #reached(): string {
    if (this.#vm === undefined) return 'the hypervisor never answered'
    if (this.#aim !== bootAim) return 'from a snapshot'
    const console = this.#vm.consoleTail()
    if (console === '') return 'the kernel printed nothing'
    const steps = [...console.matchAll(/warmcell-agent: ([^\n]{1,80})/g)]
    const last = steps.at(-1)?.[1]
    return last === undefined ? 'the kernel had started, its agent had not' : `the agent's last step was '${last}'`
  }

  #hint(cause: unknown): string {
    const console = this.#vm?.consoleTail() ?? ''
    if (/out of memory|Out of memory|No working init|Cannot allocate/.test(console))
      return `Give it more memory than ${this.#hardware.memoryMib} MiB.`
    if (this.#hardware.isolation === 'hardware' && console === '' && this.#aim === bootAim) {
      return "No guest boots under this host's accelerator: see `warmcell doctor`, or ask for isolation 'emulated' (no security boundary, development only)."
    }
    if (cause instanceof StepTimeout)
      return 'The host may be overloaded: make fewer microVMs at once, or look at the console below.'
    return 'Run `warmcell doctor` to see what this host lacks.'
  }
}

/** What a boot is in messages. */
export const bootAim = 'boot'

/** Rejects when the microVM ends: whatever else is awaited will not come. */
async function endedEarly(vm: VmProcess | undefined): Promise<never> {
  if (vm === undefined) return new Promise(() => {})
  throw new Error(describeEnd(await vm.ended))
}
