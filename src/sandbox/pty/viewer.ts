/** One who looks at a terminal: what waits for them, and what they are given next. */

import { type Deferred, deferred } from '../../common/deferred.ts'
import { ReceiveQueue } from '../../mux/index.ts'

/** Whose queue is longer than this, in bytes, holds the program back, unless somebody else is faster. */
const viewerBytesMax = 65_536

/** Who is this far behind somebody faster, in bytes, is given the screen anew in place of what waits for them. */
const behindBytesMax = 262_144

export class Viewer {
  readonly #queue = new ReceiveQueue()
  #queuedBytes = 0
  /** They have to be given the screen before anything else. */
  #stale = true
  #left = false
  #arrival: Deferred<void> | undefined

  /** Whether there is no more room for output, as far as this viewer is concerned. */
  get full(): boolean {
    return !this.#stale && this.#queuedBytes >= viewerBytesMax
  }

  get stale(): boolean {
    return this.#stale
  }

  push(output: Buffer): void {
    if (!this.#stale) {
      this.#queue.push(output)
      this.#queuedBytes += output.length
      if (this.#queuedBytes > behindBytesMax) {
        this.#queue.clear()
        this.#queuedBytes = 0
        this.#stale = true
      }
    }
    this.wake()
  }

  get left(): boolean {
    return this.#left
  }

  /** They are being given the screen as it is at this moment: what is printed from now on is theirs. */
  refresh(): void {
    this.#stale = false
  }

  leave(): void {
    this.#left = true
    this.wake()
  }

  take(): Buffer | undefined {
    const output = this.#queue.shift()
    this.#queuedBytes -= output?.length ?? 0
    return output
  }

  /** Resolves when it is worth looking again. */
  arrival(): Promise<void> {
    this.#arrival ??= deferred()
    return this.#arrival.promise
  }

  wake(): void {
    this.#arrival?.resolve()
    this.#arrival = undefined
  }
}
