/** Bytes of this side on their way to the guest, taken from their source at the guest's pace. */

import { setImmediate } from 'node:timers/promises'
import type { MuxStream } from '../../mux/index.ts'

/** Where bytes come from. `return` is called when they are not wanted any more; it has to be quick to matter. */
export type Source = AsyncIterable<Uint8Array>

/** Sends one source over one stream: to its end, or until it is stopped. */
export class Sending {
  readonly #stream: MuxStream
  readonly #iterator: AsyncIterator<Uint8Array>
  #sentBytes = 0
  #stopped = false
  #ended = false
  #wake: () => void = () => {}

  constructor(stream: MuxStream, source: Source) {
    this.#stream = stream
    this.#iterator = source[Symbol.asyncIterator]()
  }

  get sentBytes(): number {
    return this.#sentBytes
  }

  /** Whether all of the source was taken. */
  get ended(): boolean {
    return this.#ended
  }

  /** Resolves when the source has ended and been handed to the stream, or when it was stopped. @throws what the source throws. */
  async run(): Promise<void> {
    const stop = (): void => this.stop()
    this.#stream.once('close', stop)
    try {
      for (;;) {
        // Not left to the event: a source that never waits for anything would not let it be told.
        if (this.#stream.destroyed) this.stop()
        if (this.#stopped) return
        const next = await this.#unlessStopped(this.#iterator.next())
        if (next === undefined) return
        if (next.done === true) {
          this.#ended = true
          this.#stream.end()
          return
        }
        this.#sentBytes += next.value.length
        // Nothing is held back by an empty piece: a source of nothing else would leave no turn to timers and signals.
        if (next.value.length === 0) await setImmediate()
        else if (!this.#stream.write(next.value)) await this.#unlessStopped(this.#drained())
      }
    } catch (error) {
      this.#stopped = true // it has failed: nothing is left to be let go
      throw error
    } finally {
      this.#stream.off('close', stop)
    }
  }

  /** The source is let go at once, whatever it is doing. */
  stop(): void {
    if (this.#stopped || this.#ended) return
    this.#stopped = true
    // Not waited for: a source that is asleep may never answer. What it throws now interests nobody.
    void Promise.resolve(this.#iterator.return?.()).catch(() => {})
    this.#wake()
  }

  /** One waiter at a time: racing against a promise that lives as long as the transfer would keep every round of it. */
  #unlessStopped<T>(work: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined)
      if (this.#stopped) resolve(undefined)
      work.then(resolve, reject)
    })
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stream.writableNeedDrain) this.#stream.once('drain', resolve)
      else resolve()
    })
  }
}
