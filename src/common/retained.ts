/** A bounded part of something that may print for ever: its first bytes, or its last. */

/**
 * Bytes are copied into blocks of this size. Copying is what makes the bound true: keeping slices would pin the buffers they were
 * read into (64 KiB each, for a single byte if a guest wants it so), and a list of tiny slices costs more than their bytes.
 */
const blockBytes = 65_536

/** Keeps at most `bytesMax` bytes, and counts what it had to drop. Appending is linear in what is appended. */
export class RetainedBytes {
  readonly #bytesMax: number
  readonly #keep: 'head' | 'tail'
  readonly #blocks: { bytes: Uint8Array; used: number }[] = []
  #held = 0
  #seen = 0

  constructor(bytesMax: number, keep: 'head' | 'tail') {
    this.#bytesMax = bytesMax
    this.#keep = keep
  }

  /** How many bytes were pushed and are not kept. */
  get droppedBytes(): number {
    return Math.max(0, this.#seen - this.#bytesMax)
  }

  push(chunk: Uint8Array): void {
    this.#seen += chunk.length
    if (this.#keep === 'head') {
      this.#append(chunk.subarray(0, Math.max(0, this.#bytesMax - this.#held)))
      return
    }
    this.#append(chunk.length > this.#bytesMax ? chunk.subarray(chunk.length - this.#bytesMax) : chunk)
    for (
      let oldest = this.#blocks[0];
      oldest !== undefined && this.#held - oldest.used >= this.#bytesMax;
      oldest = this.#blocks[0]
    ) {
      this.#blocks.shift()
      this.#held -= oldest.used
    }
  }

  /** What is kept, in one piece. */
  bytes(): Uint8Array {
    const all = Buffer.concat(this.#blocks.map(({ bytes, used }) => bytes.subarray(0, used)))
    return this.#keep === 'tail' && all.length > this.#bytesMax ? all.subarray(all.length - this.#bytesMax) : all
  }

  /** What is kept, as text that neither begins nor ends inside a character where something was dropped. */
  text(): string {
    const bytes = this.bytes()
    if (this.droppedBytes === 0) return decode(bytes)
    return decode(
      this.#keep === 'tail' ? bytes.subarray(partialCharacterAtStart(bytes)) : bytes.subarray(0, wholeCharactersEnd(bytes)),
    )
  }

  #append(chunk: Uint8Array): void {
    for (let rest = chunk; rest.length > 0; ) {
      let last = this.#blocks.at(-1)
      if (last === undefined || last.used === last.bytes.length) {
        last = { bytes: new Uint8Array(Math.min(blockBytes, Math.max(rest.length, this.#held, 256))), used: 0 }
        this.#blocks.push(last)
      }
      const taken = rest.subarray(0, last.bytes.length - last.used)
      last.bytes.set(taken, last.used)
      last.used += taken.length
      this.#held += taken.length
      rest = rest.subarray(taken.length)
    }
  }
}

/**
 * Where the last whole UTF-8 character of `bytes` ends. Bytes after that are the beginning of a character whose rest has not come
 * (at most 3: RFC 3629); bytes that are no UTF-8 at all count as whole, so that nothing is ever held back for ever.
 */
export function wholeCharactersEnd(bytes: Uint8Array): number {
  const end = bytes.length
  for (let back = 1; back <= Math.min(3, end); back++) {
    const byte = bytes[end - back] ?? 0
    if ((byte & 0xc0) === 0x80) continue
    const length = byte >= 0xf0 && byte < 0xf8 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return byte < 0xf8 && length > back ? end - back : end
  }
  return end
}

/** How many bytes at the start continue a character that began before. */
function partialCharacterAtStart(bytes: Uint8Array): number {
  let start = 0
  while (start < Math.min(3, bytes.length) && ((bytes[start] ?? 0) & 0xc0) === 0x80) start++
  return start
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}
