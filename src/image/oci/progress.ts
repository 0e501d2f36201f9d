/** How much of an image has come: some ten times a second, and exactly at the end. */

import type { ImageEvent } from './contract.ts'

/** Faster than anybody reads, in milliseconds. */
const pauseMs = 100

export class Progress {
  readonly #reference: string
  readonly #totalBytes: number
  readonly #announce: (event: ImageEvent) => void
  readonly #done = new Map<string, number>()
  #doneBytes = 0
  #announcedAtMs = Number.NEGATIVE_INFINITY
  #announcedBytes = -1

  constructor(reference: string, totalBytes: number, announce: (event: ImageEvent) => void) {
    this.#reference = reference
    this.#totalBytes = totalBytes
    this.#announce = announce
  }

  /** Of one blob so much is here. */
  update(digest: string, bytes: number): void {
    this.#doneBytes += bytes - (this.#done.get(digest) ?? 0)
    this.#done.set(digest, bytes)
    if (performance.now() - this.#announcedAtMs >= pauseMs) this.#tell()
  }

  /** All of it is. */
  finish(): void {
    this.#doneBytes = this.#totalBytes
    if (this.#announcedBytes !== this.#doneBytes) this.#tell()
  }

  #tell(): void {
    this.#announcedAtMs = performance.now()
    this.#announcedBytes = this.#doneBytes
    this.#announce({ type: 'transfer', reference: this.#reference, doneBytes: this.#doneBytes, totalBytes: this.#totalBytes })
  }
}
