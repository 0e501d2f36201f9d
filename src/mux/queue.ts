/** Bytes that came and were not read yet: the credit bounds how many, joining small pieces bounds in how many objects. */

/**
 * Pieces of at least this size are kept as they are. One keeps the pipe's chunk of 64 KiB alive, so that a window of them holds four
 * times its bytes at worst. Smaller ones are copied together: a window of one-byte frames would else cost a hundred times its bytes.
 */
const keptBytesMin = 16_384

const blockBytesMin = 1_024
const blockBytesMax = 65_536

export class ReceiveQueue {
  #ready: Buffer[] = []
  #block: Buffer | undefined
  #start = 0
  #end = 0

  get empty(): boolean {
    return this.#ready.length === 0 && this.#start === this.#end
  }

  push(piece: Buffer): void {
    if (piece.length >= keptBytesMin) {
      this.#seal()
      this.#ready.push(piece)
      return
    }
    let block = this.#block
    if (block === undefined || block.length - this.#end < piece.length) {
      this.#seal()
      const doubled = Math.min(blockBytesMax, (block?.length ?? 0) * 2)
      block = Buffer.allocUnsafe(Math.max(blockBytesMin, doubled, piece.length))
      this.#block = block
      this.#start = 0
      this.#end = 0
    }
    if (piece.length === 1) block[this.#end] = piece[0] ?? 0
    else block.set(piece, this.#end)
    this.#end += piece.length
  }

  /** The oldest bytes, in as large a piece as there is. */
  shift(): Buffer | undefined {
    if (this.#ready.length === 0) this.#seal()
    return this.#ready.shift()
  }

  clear(): void {
    this.#ready = []
    this.#block = undefined
    this.#start = 0
    this.#end = 0
  }

  #seal(): void {
    if (this.#block === undefined || this.#start === this.#end) return
    this.#ready.push(this.#block.subarray(this.#start, this.#end))
    this.#start = this.#end
  }
}
