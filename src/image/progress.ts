/** How far an image has come: some ten times a second, and exactly at the end. */

import type { ImageEvent } from './oci/contract.ts'

/** Faster than anybody reads, in milliseconds. */
const pauseMs = 100

export class Progress {
  readonly #what: Pick<Extract<ImageEvent, { type: 'transfer' | 'disk' }>, 'type' | 'reference' | 'totalBytes'>
  readonly #announce: (event: ImageEvent) => void
  #doneBytes = 0
  #announcedAtMs = Number.NEGATIVE_INFINITY
  #announcedBytes = -1

  constructor(type: 'transfer' | 'disk', reference: string, totalBytes: number, announce: (event: ImageEvent) => void) {
    this.#what = { type, reference, totalBytes }
    this.#announce = announce
  }

  /** That it begins, before anything of it is done. */
  begin(): void {
    this.#tell()
  }

  /** So much more is done, or less where something is done anew; never more than all of it. */
  add(bytes: number): void {
    this.#doneBytes = Math.min(this.#doneBytes + bytes, this.#what.totalBytes)
    if (performance.now() - this.#announcedAtMs >= pauseMs) this.#tell()
  }

  /** All of it is done. */
  finish(): void {
    this.#doneBytes = this.#what.totalBytes
    if (this.#announcedBytes !== this.#doneBytes) this.#tell()
  }

  #tell(): void {
    this.#announcedAtMs = performance.now()
    this.#announcedBytes = this.#doneBytes
    this.#announce({ ...this.#what, doneBytes: this.#doneBytes })
  }
}
