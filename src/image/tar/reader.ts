/** Reads a tar file as it comes, in pieces of any size: its entries, and behind each file its bytes. Holds one header and what extends it, and no content. */

import { type Extension, entryOf, noAttributes, type TarEntry } from './entry.ts'
import { blockBytes, decodeHeader, type TarHeader } from './header.ts'
import { extensionBytesMax } from './limits.ts'
import { decodePax } from './pax.ts'
import { Refusal } from './refusal.ts'

export type TarEvent =
  | { readonly type: 'entry'; readonly entry: TarEntry }
  /** A part of the file that was announced last. */
  | { readonly type: 'content'; readonly bytes: Buffer }

type State =
  | { readonly at: 'header' }
  | { readonly at: 'extension'; readonly type: string; readonly parts: Buffer[]; readonly sizeBytes: number; left: number }
  | { readonly at: 'content'; left: number; readonly sizeBytes: number }
  | { readonly at: 'padding'; left: number }
  /** Behind one block of zeros: a second one ends the archive, and so does the end of the file. */
  | { readonly at: 'zeros' }
  /** Whatever comes now is nobody's business, as for every other reader. */
  | { readonly at: 'end' }

export class TarReader {
  #state: State = { at: 'header' }
  #extension: Extension = { pax: noAttributes }
  /** The beginning of a block whose rest has not come. */
  #partial: Buffer = Buffer.alloc(0)
  #entry = ''

  /** No more comes. @throws {@link Refusal} inside an entry. */
  end(): void {
    const { at } = this.#state
    const whole = at === 'end' || at === 'zeros' || (at === 'header' && this.#extension.pax === noAttributes && !this.#hasLong())
    if (!whole || this.#partial.length > 0)
      throw new Refusal('ends before it is whole', at === 'content' ? this.#entry : undefined)
  }

  /** What the next piece says. To be gone through to its end before the next is pushed. @throws {@link Refusal} */
  *push(piece: Buffer): Generator<TarEvent, void, void> {
    let rest = this.#partial.length === 0 ? piece : Buffer.concat([this.#partial, piece])
    this.#partial = Buffer.alloc(0)
    while (rest.length > 0) {
      const state = this.#state
      if (state.at === 'end') return
      if (state.at === 'header' || state.at === 'zeros') {
        if (rest.length < blockBytes) {
          this.#partial = Buffer.from(rest)
          return
        }
        const entry = this.#block(rest.subarray(0, blockBytes))
        rest = rest.subarray(blockBytes)
        if (entry !== undefined) yield { type: 'entry', entry }
        continue
      }
      const taken = rest.subarray(0, state.left)
      rest = rest.subarray(taken.length)
      state.left -= taken.length
      if (state.at === 'content') yield { type: 'content', bytes: taken }
      if (state.at === 'extension') state.parts.push(Buffer.from(taken))
      if (state.left === 0) this.#passed(state)
    }
  }

  #hasLong(): boolean {
    return this.#extension.longName !== undefined || this.#extension.longTarget !== undefined
  }

  #block(block: Buffer): TarEntry | undefined {
    if (isZero(block)) {
      this.#state = { at: this.#state.at === 'zeros' ? 'end' : 'zeros' }
      return undefined
    }
    if (this.#state.at === 'zeros') throw new Refusal('is no tar file: something follows on a part of its end')
    const header = decodeHeader(block)
    if (isExtension(header.type)) {
      this.#expectExtension(header)
      return undefined
    }
    const entry = entryOf(header, this.#extension)
    this.#extension = { pax: noAttributes }
    this.#entry = entry.name
    this.#state = entry.sizeBytes > 0 ? { at: 'content', left: entry.sizeBytes, sizeBytes: entry.sizeBytes } : { at: 'header' }
    return entry
  }

  #expectExtension({ type, name, sizeBytes }: TarHeader): void {
    if (sizeBytes < 0 || sizeBytes > extensionBytesMax)
      throw new Refusal(`has an extended header of ${sizeBytes} bytes: ${extensionBytesMax} are the most`, name)
    this.#state = { at: 'extension', type, parts: [], sizeBytes, left: sizeBytes }
    if (sizeBytes === 0) this.#passed(this.#state)
  }

  /** All of what was announced has come. */
  #passed(state: Exclude<State, { at: 'header' | 'zeros' | 'end' }>): void {
    if (state.at === 'extension') this.#extend(state.type, Buffer.concat(state.parts))
    const padding = state.at === 'padding' ? 0 : -state.sizeBytes & (blockBytes - 1)
    this.#state = padding === 0 ? { at: 'header' } : { at: 'padding', left: padding }
  }

  #extend(type: string, bytes: Buffer): void {
    const text = (): string => bytes.toString('latin1').split('\0', 1)[0] ?? ''
    if (type === 'x') this.#extension.pax = decodePax(bytes)
    if (type === 'L') this.#extension.longName = text()
    if (type === 'K') this.#extension.longTarget = text()
    // 'g' would hold for all that follows; container engines pass it over, and what is in one is a comment of git-archive(1).
  }
}

function isExtension(type: string): boolean {
  return type === 'x' || type === 'g' || type === 'L' || type === 'K'
}

function isZero(block: Buffer): boolean {
  return block[0] === 0 && block.compare(block, 0, blockBytes - 1, 1, blockBytes) === 0
}
