/** Puts small pieces together to one that is worth a system call. */

/** As much as a pipe holds. */
const fullBytes = 65_536

export class Batch {
  #parts: Buffer[] = []
  #bytes = 0

  get isFull(): boolean {
    return this.#bytes >= fullBytes
  }

  push(...parts: readonly Buffer[]): void {
    for (const part of parts) {
      if (part.length === 0) continue
      this.#parts.push(part)
      this.#bytes += part.length
    }
  }

  /** All that was pushed. */
  take(): Buffer {
    const all = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts, this.#bytes)
    this.#parts = []
    this.#bytes = 0
    return all
  }
}
