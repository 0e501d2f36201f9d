/** The life of a microVM in phases, and a hypervisor that tells of each: the place to let something happen exactly there. */

import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { Hypervisor, ParkedVm, Vm, VmEnd, VmProcess, VmSnapshot, VmSpec } from '../../../src/hypervisor/index.ts'
import { vmProcesses } from '../vm.ts'

/** Of a clone, in order, with what is going on at that moment. */
export const clonePhases = {
  spawned: 'its process has been started, and has not answered',
  answered: 'its process has answered, and waits parked',
  loading: 'it was told to load its snapshot',
  loaded: 'its guest runs, and has no identity',
  identity: 'its identity is on its way',
  exercising: 'it runs its first program',
  resting: 'it stands still in the middle of its exercise',
  stocked: 'it has just become warm',
  waking: 'it was taken, and asked for its clock',
  binding: 'files of its tenant are on their way',
  exec: 'a command of its tenant is on its way',
  streaming: 'a command is in the middle of its output',
  idle: 'nothing is under way',
  destroying: 'its end has been asked for',
} as const

/** Of one that a template is built in. */
export const templatePhases = {
  booting: 'its process has been started',
  setup: 'a setup command is on its way',
  saving: 'it was told to save',
} as const

export type Phase = keyof typeof clonePhases | keyof typeof templatePhases

/** What a tenant says to have the wire tell that a phase has come. */
export const word = (phase: Phase): string => `phase-${phase}`

export type OnPhase = (phase: Phase, id: string) => void | Promise<void>

/** Tells of the phases that a hypervisor can see. Those in the middle of a tenant's own work are told by who does it. */
export class PhasedHypervisor implements Hypervisor {
  readonly name: string
  readonly #inner: Hypervisor
  readonly #at: OnPhase

  constructor(inner: Hypervisor, at: OnPhase) {
    this.name = inner.name
    this.#inner = inner
    this.#at = at
  }

  describe(spec: VmSpec): readonly string[] {
    return this.#inner.describe(spec)
  }

  async start(spec: VmSpec, signal: AbortSignal): Promise<Vm> {
    const vm = await this.#spawned('booting', spec.id, this.#inner.start(spec, signal))
    return new PhasedVm(vm, spec.id, this.#at)
  }

  async park(snapshot: VmSnapshot, id: string, signal: AbortSignal): Promise<ParkedVm> {
    const vm = await this.#spawned('spawned', id, this.#inner.park(snapshot, id, signal))
    await this.#at('answered', id)
    return new PhasedParkedVm(vm, id, this.#at)
  }

  /** Nothing is told of what goes on from a stage of its template. */
  reopen(snapshot: VmSnapshot, id: string, signal: AbortSignal): Promise<ParkedVm> {
    return this.#inner.reopen(snapshot, id, signal)
  }

  /** The phase begins when the system shows the process, which is before it can answer. */
  async #spawned<V>(phase: Phase, id: string, starting: Promise<V>): Promise<V> {
    let settled = false
    starting.then(
      () => (settled = true),
      () => (settled = true),
    )
    while (!settled && vmProcesses(id).length === 0) await delay(1)
    await this.#at(phase, id)
    return starting
  }
}

class PhasedProcess<V extends VmProcess> implements VmProcess {
  readonly pid: number
  readonly ended: Promise<VmEnd>
  protected readonly inner: V
  protected readonly id: string
  protected readonly at: OnPhase

  constructor(inner: V, id: string, at: OnPhase) {
    this.pid = inner.pid
    this.ended = inner.ended
    this.inner = inner
    this.id = id
    this.at = at
  }

  consoleTail(): string {
    return this.inner.consoleTail()
  }

  logTail(): string {
    return this.inner.logTail()
  }

  kill(): Promise<VmEnd> {
    void this.at('destroying', this.id)
    return this.inner.kill()
  }
}

class PhasedParkedVm extends PhasedProcess<ParkedVm> implements ParkedVm {
  async load(): Promise<Vm> {
    const loading = this.inner.load()
    loading.catch(() => {})
    await this.at('loading', this.id)
    const vm = await loading
    await this.at('loaded', this.id)
    return new PhasedVm(vm, this.id, this.at)
  }
}

/** Said at most once of each microVM. */
const saidOnce = ['identity', 'exercising', 'binding', 'exec', 'setup'] as const

class PhasedVm extends PhasedProcess<Vm> implements Vm {
  readonly agentPipe: Duplex
  #pauses = 0
  #resumes = 0
  readonly #unsaid = new Set<Phase>(saidOnce)

  constructor(inner: Vm, id: string, at: OnPhase) {
    super(inner, id, at)
    this.agentPipe = inner.agentPipe
    const write = this.agentPipe.write.bind(this.agentPipe) as (...args: unknown[]) => boolean
    this.agentPipe.write = ((chunk: Uint8Array, ...rest: unknown[]) => {
      const more = write(chunk, ...rest)
      this.#onWrite(Buffer.from(chunk))
      return more
    }) as Duplex['write']
  }

  pause(): void {
    this.inner.pause()
    void this.at(this.#pauses++ === 0 ? 'resting' : 'stocked', this.id)
  }

  resume(): void {
    this.inner.resume()
    // The first is in the middle of its exercise.
    if (this.#resumes++ > 0) void this.at('waking', this.id)
  }

  async save(): Promise<void> {
    const saving = this.inner.save()
    saving.catch(() => {})
    await this.at('saving', this.id)
    return saving
  }

  goOn(): Promise<void> {
    return this.inner.goOn()
  }

  #onWrite(bytes: Buffer): void {
    if (this.#unsaid.has('identity')) {
      this.#say('identity')
      return
    }
    if (bytes.includes('true')) this.#say('exercising')
    for (const phase of ['binding', 'exec', 'setup'] as const) if (bytes.includes(word(phase))) this.#say(phase)
  }

  #say(phase: Phase): void {
    if (this.#unsaid.delete(phase)) void this.at(phase, this.id)
  }
}
