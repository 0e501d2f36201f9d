/** The last bytes of something that may print for ever. */

/** Keeps at most `bytesMax` bytes: the newest. Appending is linear in what is appended; old chunks are dropped whole. */
export class Tail {
  readonly #bytesMax: number
  #chunks: Uint8Array[] = []
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  push(chunk: Uint8Array): void {
    const kept = chunk.length > this.#bytesMax ? chunk.subarray(chunk.length - this.#bytesMax) : chunk
    this.#chunks.push(kept)
    this.#bytes += kept.length
    for (let oldest = this.#chunks[0]; oldest !== undefined && this.#bytes - oldest.length >= this.#bytesMax; oldest = this.#chunks[0]) {
      this.#chunks.shift()
      this.#bytes -= oldest.length
    }
  }

  /** As text, without control characters but line feed and tab: it goes into messages and logs, and a guest wrote it. */
  toString(): string {
    const all = Buffer.concat(this.#chunks)
    const text = all.subarray(Math.max(0, all.length - this.#bytesMax)).toString('utf8')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
    return text.replace(/\r\n?/g, '\n').replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')
  }
}
