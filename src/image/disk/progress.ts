/** Tells how far a disk is: how much of all blobs has been read, each of them twice. */

import type { ImageEvent, PulledImage } from '../oci/contract.ts'

/** As often as a person sees a bar move, in milliseconds. */
const everyMs = 100

export class Progress {
  readonly #reference: string
  readonly #totalBytes: number
  readonly #onEvent: ((event: ImageEvent) => void) | undefined
  #doneBytes = 0
  #toldAt = Number.NEGATIVE_INFINITY

  constructor({ reference, layers }: PulledImage, onEvent: ((event: ImageEvent) => void) | undefined) {
    this.#reference = reference
    this.#totalBytes = 2 * layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    this.#onEvent = onEvent
    // That it begins, before anything of it is done.
    this.#tell()
  }

  read(bytes: number): void {
    // A file that has grown since is found out by its digest; until then it is not more than all.
    this.#doneBytes = Math.min(this.#doneBytes + bytes, this.#totalBytes)
    const now = performance.now()
    if (now - this.#toldAt < everyMs) return
    this.#toldAt = now
    this.#tell()
  }

  /** All is done. */
  end(): void {
    this.#doneBytes = this.#totalBytes
    this.#tell()
  }

  #tell(): void {
    this.#onEvent?.({ type: 'disk', reference: this.#reference, doneBytes: this.#doneBytes, totalBytes: this.#totalBytes })
  }
}
