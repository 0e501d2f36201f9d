/** A hypervisor whose microVMs are fake guests. */

import type { Hypervisor, Vm, VmSpec } from '../hypervisor/index.ts'
import { FakeGuest } from './fake-guest.ts'
import { pipePair } from './pipe.ts'
import type { FakeProgram } from './program.ts'

export class FakeHypervisor implements Hypervisor {
  readonly name = 'fake hypervisor'
  readonly #programs: ReadonlyMap<string, FakeProgram>
  readonly #onGuestStart: ((guest: FakeGuest) => void) | undefined
  readonly #guests = new Set<FakeGuest>()
  #started = 0

  constructor(programs: ReadonlyMap<string, FakeProgram>, onGuestStart?: (guest: FakeGuest) => void) {
    this.#programs = programs
    this.#onGuestStart = onGuestStart
  }

  /** Those that have not ended, oldest first. */
  get guests(): readonly FakeGuest[] {
    return [...this.#guests]
  }

  get guestsStarted(): number {
    return this.#started
  }

  async start(spec: VmSpec, signal: AbortSignal): Promise<Vm> {
    signal.throwIfAborted()
    const [agentPipe, guestPipe] = pipePair()
    // The reader hears of a hang-up by the pipe's end; unheard, the error that comes with it must not end this process.
    for (const end of [agentPipe, guestPipe]) end.on('error', () => {})
    const guest = new FakeGuest(spec.id, guestPipe, this.#programs)
    this.#started++
    this.#guests.add(guest)
    void guest.ended.then(() => {
      this.#guests.delete(guest)
      agentPipe.destroy()
    })
    this.#onGuestStart?.(guest)
    return {
      pid: process.pid,
      agentPipe,
      ended: guest.ended,
      consoleTail: () => guest.consoleText,
      logTail: () => '',
      kill: () => {
        guest.end({ exitCode: null, signal: 'SIGKILL' })
        return guest.ended
      },
    }
  }
}
