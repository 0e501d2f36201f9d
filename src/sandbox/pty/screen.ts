/** What a terminal shows and to whom: its output taken from the guest, kept, and handed to everybody who looks, at the pace of the fastest. */

import type { Readable } from 'node:stream'
import { History } from './history.ts'
import type { Size } from './redraw.ts'
import { Viewer } from './viewer.ts'

export class Screen {
  size: Size
  readonly #source: Readable
  readonly #onOutput: () => void
  readonly #history = new History()
  readonly #viewers = new Set<Viewer>()
  readonly #outcome: () => Promise<void>
  #over = false
  #seen = false

  /**
   * Takes the output from now on.
   *
   * @param onOutput called for every piece of it
   * @param outcome rejects with what whoever looks has to be told at the end
   */
  constructor(source: Readable, size: Size, onOutput: () => void, outcome: () => Promise<void>) {
    this.size = size
    this.#source = source
    this.#onOutput = onOutput
    this.#outcome = outcome
    source.on('data', (output: Buffer) => this.#onData(output))
    for (const event of ['end', 'close', 'error']) source.once(event, () => this.#end())
  }

  /** One look: from its first `next` until it is left, also while a `next` waits, or nothing comes any more. */
  look(): AsyncIterator<Uint8Array> {
    const viewer = new Viewer()
    const output = this.#outputTo(viewer)
    return {
      next: () => output.next(),
      return: () => {
        viewer.leave()
        return output.return(undefined)
      },
    }
  }

  async *#outputTo(viewer: Viewer): AsyncGenerator<Uint8Array, undefined> {
    const whole = this.#seen ? undefined : this.#history.whole
    this.#seen = true
    if (whole !== undefined) viewer.refresh()
    this.#viewers.add(viewer)
    this.#pace()
    try {
      if (whole !== undefined && whole.length > 0) yield whole
      while (!viewer.left) {
        if (viewer.stale) {
          // What is printed while the screen is drawn is not in the drawing: it waits in the queue.
          viewer.refresh()
          yield await this.#history.draw(this.size)
          continue
        }
        const output = viewer.take()
        if (output !== undefined) {
          this.#pace()
          yield output
        } else if (!this.#over) await viewer.arrival()
        else {
          await this.#outcome()
          return
        }
      }
    } finally {
      this.#viewers.delete(viewer)
      this.#pace()
    }
  }

  #onData(output: Buffer): void {
    this.#onOutput()
    this.#history.push(output, this.size)
    for (const viewer of this.#viewers) viewer.push(output)
    this.#pace()
  }

  /** One viewer with room is enough for the program to go on; without a viewer it always does. */
  #pace(): void {
    const held = this.#viewers.size > 0 && [...this.#viewers].every(({ full }) => full)
    if (held) this.#source.pause()
    else if (this.#source.isPaused()) this.#source.resume()
  }

  #end(): void {
    this.#over = true
    for (const viewer of this.#viewers) viewer.wake()
  }
}
