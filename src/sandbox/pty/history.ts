/** What a terminal has printed, as far as it takes to draw its screen again: within a bound, and without a terminal while nobody asks. */

import { stripVTControlCharacters } from 'node:util'
import { RetainedBytes } from '../../common/retained.ts'
import { Modes } from './modes.ts'
import { redraw, type Size } from './redraw.ts'

/** How much of what was printed last is kept, in bytes: dozens of screens of text, or some screens of many colours. */
const historyBytesMax = 262_144

/**
 * What is kept is replaced by a drawing of its screen when it is full, but not more often than this, in milliseconds: nobody shall keep the host
 * busy by printing. A program that prints faster draws its screen anew all the time, or scrolls: for that its last output is enough.
 */
const foldRestMs = 10_000

/** Everything off: whatever the reader's terminal showed before is gone. A drawing begins with it too. */
const reset = Buffer.from('\x1bc')

/** Of what cannot be drawn, in bytes: some screens of text. */
const lastWordsBytesMax = 16_384

/** What is left when the oldest output is dropped. */
const keptBytes = historyBytesMax / 2

export class History {
  /** What draws the screen as it was before the tail: a drawing, or the output that one is being made of. */
  #before: Uint8Array = new Uint8Array(0)
  /** What was switched in output that was dropped between the two. */
  readonly #dropped: Modes = new Modes()
  #tail = new RetainedBytes(Number.MAX_SAFE_INTEGER, 'tail')
  #tailBytes = 0
  #whole = true
  #foldAt = 0
  #folding = false

  /** All that was printed, as it was; undefined when that was too much. */
  get whole(): Uint8Array | undefined {
    return this.#whole ? this.#tail.bytes() : undefined
  }

  push(output: Uint8Array, size: Size): void {
    this.#tail.push(output)
    this.#tailBytes += output.length
    if (this.#tailBytes <= historyBytesMax) return
    if (!this.#folding && performance.now() >= this.#foldAt) void this.#fold(size)
    else this.#dropOldest()
  }

  /**
   * One output that draws what a terminal of this size shows at the moment of the call. Where that cannot be drawn it is the last words, without anything that would
   * keep the reader's own terminal as busy as it kept ours.
   */
  async draw(size: Size): Promise<Uint8Array> {
    const all = this.#all()
    return (await redraw(all, size, true)) ?? Buffer.concat([reset, lastWords(all)])
  }

  #all(): Uint8Array {
    return Buffer.concat([this.#before, Buffer.from(this.#dropped.sequence()), this.#tail.bytes()])
  }

  async #fold(size: Size): Promise<void> {
    this.#folding = true
    this.#before = this.#all()
    this.#dropped.forget()
    this.#restart(new Uint8Array(0))
    const drawing = await redraw(this.#before, size, false)
    // Marks piled up on one character are drawn too: what is larger than what it was made of is nobody's screen.
    if (drawing !== undefined && drawing.length <= historyBytesMax) this.#before = drawing
    else {
      const modes = new Modes()
      modes.note(this.#before)
      this.#before = Buffer.from(modes.sequence())
    }
    this.#folding = false
    // What could not be drawn once was printed to be hard to draw: it is not tried again.
    this.#foldAt = drawing === undefined ? Number.POSITIVE_INFINITY : performance.now() + foldRestMs
  }

  #dropOldest(): void {
    const all = this.#tail.bytes()
    const from = all.length - keptBytes
    this.#dropped.note(all.subarray(0, from))
    this.#restart(all.subarray(from))
  }

  #restart(tail: Uint8Array): void {
    this.#whole = false
    this.#tail = new RetainedBytes(Number.MAX_SAFE_INTEGER, 'tail')
    this.#tail.push(tail)
    this.#tailBytes = tail.length
  }
}

/** The end of the output as text: what colours, moves and switches is left out. */
function lastWords(output: Uint8Array): Uint8Array {
  const text = Buffer.from(output.subarray(-lastWordsBytesMax)).toString('utf8')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is left out
  return Buffer.from(stripVTControlCharacters(text).replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g, ''))
}
