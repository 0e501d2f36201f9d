/** The one tar file that a disk is made from: each name once, parents first, in an order that depends on the image alone. */

import { WarmcellError } from '../../errors.ts'
import { contentsOf, type Directory, type Leaf, pathOf, type ReadOptions } from '../layers/index.ts'
import type { PulledImage } from '../oci/contract.ts'
import { shownName } from '../tar/index.ts'
import { Batch } from './batch.ts'
import { directoryEntry, endOfTar, leafEntry, linkEntry, paddingOf } from './tar-entry.ts'

/** What the first part finds for the others. */
interface Found {
  /** Files with content, by layer and their number in it. */
  readonly files: Map<number, Leaf>[]
  /** Further names. */
  readonly links: { readonly leaf: Leaf; readonly directory: Directory; readonly name: string }[]
  entries: number
  comparisons: number
}

export class ImageTar {
  readonly #image: PulledImage
  readonly #root: Directory
  readonly #options: ReadOptions
  readonly #batch = new Batch()
  readonly #found: Found

  constructor(image: PulledImage, root: Directory, options: ReadOptions) {
    this.#image = image
    this.#root = root
    this.#options = options
    this.#found = { files: image.layers.map(() => new Map()), links: [], entries: 0, comparisons: 0 }
  }

  /** Names in it, the root included; known when all bytes were taken. */
  get entries(): number {
    return this.#found.entries
  }

  /** @throws `IMAGE` */
  async *bytes(): AsyncGenerator<Buffer, void, void> {
    yield* this.#names()
    yield* this.#contents()
    for (const { leaf, directory, name } of this.#found.links) {
      this.#batch.push(...linkEntry(pathOf(directory, name), pathOf(leaf.home as Directory, leaf.name), leaf.said))
      if (this.#batch.isFull) yield this.#batch.take()
    }
    this.#batch.push(endOfTar)
    yield this.#batch.take()
  }

  /** Everything that has no content. */
  async *#names(): AsyncGenerator<Buffer, void, void> {
    const ahead: { directory: Directory; above: number }[] = [{ directory: this.#root, above: 0 }]
    for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
      const { directory, above } = next
      const path = pathOf(directory)
      this.#count(directory, above, path)
      this.#batch.push(...directoryEntry(path, directory.said))
      for (const [name, child] of directory.children) {
        if (child.kind === 'directory') ahead.push({ directory: child, above: above + directory.children.size })
        else this.#leaf(child.kind === 'link' ? child.to : child, directory, name, path)
        if (this.#batch.isFull) yield this.#batch.take()
      }
    }
  }

  /** A file without content is complete with its name. */
  #leaf(leaf: Leaf, directory: Directory, name: string, path: string): void {
    this.#found.entries++
    if (leaf.home !== undefined) {
      this.#found.links.push({ leaf, directory, name })
      return
    }
    leaf.home = directory
    leaf.name = name
    if (leaf.kind === 'file' && leaf.sizeBytes > 0) this.#found.files[leaf.layer]?.set(leaf.ordinal, leaf)
    else this.#batch.push(...leafEntry(path === '' ? name : `${path}/${name}`, leaf))
  }

  /** What looking up and adding each of a directory's names costs the tool: all names of each directory on the way, and those of this one. */
  #count({ children }: Directory, above: number, path: string): void {
    const { comparisonsMax } = this.#options.limits
    this.#found.entries++
    this.#found.comparisons += children.size * (above + children.size / 2)
    if (this.#found.comparisons <= comparisonsMax) return
    const which = path === '' ? 'its root' : `its directory ${shownName(path)}`
    throw new WarmcellError(
      'IMAGE',
      `The image ${this.#image.digest} is refused: with the ${children.size} names of ${which} it has too many names in too few directories.`,
    )
  }

  async *#contents(): AsyncGenerator<Buffer, void, void> {
    let current: Leaf | undefined
    for await (const part of contentsOf(this.#image, this.#found.files, this.#options)) {
      if (part.type === 'content') this.#batch.push(part.bytes)
      else {
        if (current !== undefined) this.#batch.push(paddingOf(current.sizeBytes))
        current = part.leaf
        this.#batch.push(...leafEntry(pathOf(current.home as Directory, current.name), current))
      }
      if (this.#batch.isFull) yield this.#batch.take()
    }
    if (current !== undefined) this.#batch.push(paddingOf(current.sizeBytes))
  }
}
