/** What a fake guest takes and may take: protocol.md, chapter 3.5. */

import type { GuestMessage, HostMessage } from '../agent/index.ts'

type Message<T extends (GuestMessage | HostMessage)['type']> = Extract<GuestMessage | HostMessage, { type: T }>

/** Functions of a test cannot be measured: what a fake guest is to say of its programs is said here, by whoever plays them. */
export interface FakeLoad {
  /** Processor time of its programs, in milliseconds. */
  cpuMs: number
  /** Held by its programs, beside the files they have written. */
  memoryBytes: number
  oomKills: number
}

/** What a guest may use, in the units of the wire. A snapshot keeps it. */
export interface FakeLimits {
  memoryBytes: number
  diskBytes: number
  processes: number
  cpuPercent: number
}

/** What a guest has before anybody says otherwise. */
export const unlimited: FakeLimits = { memoryBytes: 2 ** 40, diskBytes: 2 ** 40, processes: 2 ** 20, cpuPercent: 1_600 }

/** Whose account it is. */
interface Owner {
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly load: FakeLoad
}

export class FakeAccount {
  readonly #guest: Owner
  readonly #processes: () => number
  readonly #atBoot: FakeLimits
  #limits: FakeLimits

  constructor(guest: Owner, processes: () => number, atBoot: FakeLimits) {
    this.#guest = guest
    this.#processes = processes
    this.#atBoot = atBoot
    this.#limits = { ...atBoot }
  }

  get limits(): Readonly<FakeLimits> {
    return this.#limits
  }

  /** Whether one more process may be started. */
  get hasProcessLeft(): boolean {
    return this.#processes() < this.#limits.processes
  }

  /** Whether a file of this size may take the place of what is there. */
  hasRoomFor(path: string, bytes: number): boolean {
    return this.#diskBytes() - (this.#guest.files.get(path)?.length ?? 0) + bytes <= this.#limits.diskBytes
  }

  measure(): Message<'Measured'> {
    const diskBytes = this.#diskBytes()
    return {
      type: 'Measured',
      cpuUs: Math.round(this.#guest.load.cpuMs * 1_000),
      // The writable layer lives in memory.
      memoryBytes: this.#guest.load.memoryBytes + diskBytes,
      memoryMaxBytes: this.#limits.memoryBytes,
      diskBytes,
      diskMaxBytes: this.#limits.diskBytes,
      processes: this.#processes(),
      oomKills: this.#guest.load.oomKills,
    }
  }

  /** All of them or none. */
  limit({ type: _, ...asked }: Message<'Limit'>): Message<'Done' | 'Failed'> {
    const next = { ...this.#limits, ...asked }
    const failed = (errno: string, message: string): Message<'Failed'> => ({ type: 'Failed', errno, step: 'limit', message })
    for (const name of Object.keys(next) as (keyof FakeLimits)[])
      if (next[name] > this.#atBoot[name]) return failed('EINVAL', `${name} was ${this.#atBoot[name]} at boot`)
    const { memoryBytes, diskBytes, processes } = this.measure()
    const used: Omit<FakeLimits, 'cpuPercent'> = { memoryBytes, diskBytes, processes }
    for (const name of Object.keys(used) as (keyof typeof used)[])
      if (next[name] < used[name]) return failed('EBUSY', `${name} is ${used[name]} already`)
    this.#limits = next
    return { type: 'Done' }
  }

  #diskBytes(): number {
    let sum = 0
    for (const { length } of this.#guest.files.values()) sum += length
    return sum
  }
}
