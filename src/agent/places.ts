/** How many conversations of each kind a guest has at once: none can keep another kind from its turn. */

import { Slots } from './slots.ts'

/** Kinds of conversation, each with how many of it are under way at once and how many streams one of it takes. */
const kinds = {
  /** Commands without a terminal: control, stdio, stderr. */
  processes: { max: 80, streams: 3 },
  /** Commands with one: control, stdio. */
  terminals: { max: 32, streams: 2 },
  /** Connections to ports of the guest, and waits for one to listen. */
  connections: { max: 128, streams: 1 },
  /**
   * Files and trees on their way out of the guest, and into it. More would not be faster: they share one pipe. Two kinds, so that who copies a file, and holds a reading while it asks for a writing, does
   * not wait for others who do the same.
   */
  reads: { max: 16, streams: 1 },
  writes: { max: 16, streams: 1 },
  /** Watches: they stay for long. */
  watches: { max: 32, streams: 1 },
  /** Questions of one message with an answer of one. */
  requests: { max: 16, streams: 1 },
} as const

export type Kind = keyof typeof kinds

/** Commands without a terminal that run at once; one more waits until another has ended. */
export const processesAtOnceMax: number = kinds.processes.max

/** All streams that all of them take: the guest has to have as many. */
export const streamsInAllMax: number = Object.values(kinds).reduce((sum, { max, streams }) => sum + max * streams, 0)

/** The waiting lines of one guest, one for each kind. */
export class Places {
  readonly #slots: Readonly<Record<Kind, Slots>>

  constructor() {
    this.#slots = Object.fromEntries(Object.entries(kinds).map(([kind, { max }]) => [kind, new Slots(max)])) as Record<
      Kind,
      Slots
    >
  }

  /** Waits for a place, first come first served. @returns what gives it back */
  take(kind: Kind, signal: AbortSignal): Promise<() => void> {
    return this.#slots[kind].take(signal)
  }

  /** Nobody gets a place any more; who waits is told why. */
  close(reason: unknown): void {
    for (const slots of Object.values(this.#slots)) slots.close(reason)
  }
}
