/** Noticing that a hypervisor's process was stopped by somebody else: it answers nothing from then on, and does not end either. */

import { readFile } from 'node:fs/promises'
import { readProcessStat } from '../../common/process-stat.ts'

/**
 * Between two looks at all processes, in milliseconds. One must be found stopped at two looks in a row, so that a stop of a moment is no crash, and whoever
 * waits for a guest that stands still hears of it within five seconds.
 */
const lookEveryMs = 1_500

/** Why such a microVM has ended, for messages. */
const stoppedOutside = 'its process was stopped by a signal from outside (SIGSTOP)'

/** Those that may run now. One timer looks at all of them, and keeps no program from ending. */
const guarded = new Set<StopGuard>()
let looking = false

/** Watches one process, and knows of the stops that are our own. */
export class StopGuard {
  readonly #pidOf: () => number
  readonly #onStopped: () => void
  #paused = false
  /** Counts what was asked of it, so that a look that something came between is thrown away. */
  #asked = 0
  #seenStopped = false
  #reason: string | undefined

  constructor(pidOf: () => number, onStopped: () => void) {
    this.#pidOf = pidOf
    this.#onStopped = onStopped
    guarded.add(this)
    // The kernel tells of it in /proc; elsewhere nobody looks.
    if (process.platform === 'linux' && !looking) lookLater()
  }

  /** Set once it was found stopped by somebody else, and ended for it. */
  get reason(): string | undefined {
    return this.#reason
  }

  /** It is about to be stopped by us. */
  pausing(): void {
    this.#asked++
    this.#paused = true
  }

  /** It was let go on by us. */
  resumed(): void {
    this.#asked++
    this.#paused = false
  }

  /** It has ended. */
  end(): void {
    guarded.delete(this)
  }

  async look(): Promise<void> {
    const asked = this.#asked
    const stopped = !this.#paused && isStopped(await statOf(this.#pidOf()))
    const twice = stopped && this.#seenStopped
    this.#seenStopped = stopped && asked === this.#asked
    if (!twice || !this.#seenStopped || !guarded.has(this)) return
    this.#reason = stoppedOutside
    this.end()
    this.#onStopped()
  }
}

/** By a signal ('T'); one that a debugger holds ('t') is whoever debugs it's own affair. */
export function isStopped(stat: string): boolean {
  return readProcessStat(stat)?.state === 'T'
}

/** One after the other: a host with hundreds of them must not read hundreds of files at once. */
async function lookAtAll(): Promise<void> {
  for (const guard of [...guarded]) await guard.look()
  looking = false
  if (guarded.size > 0) lookLater()
}

function lookLater(): void {
  looking = true
  setTimeout(lookAtAll, lookEveryMs).unref()
}

/** '' where it cannot be told, which is evidence of nothing. */
function statOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
}
