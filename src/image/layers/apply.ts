/** Puts one layer's entries on what the layers below it have made: https://github.com/opencontainers/image-spec/blob/main/layer.md */

import { Refusal, type TarEntry } from '../tar/index.ts'
import { type LayerLimits, ownersMax, pathBytesMax } from './limits.ts'
import { assertShort, partsOf, Walker } from './places.ts'
import { type Attributes, Directory, HardLink, hide, hideBelow, impliedAttributes, Leaf, type Node } from './tree.ts'

/** In front of a name that a layer hides. */
const whiteout = '.wh.'
/** In place of a name: the whole directory is hidden. */
const opaque = '.wh..wh..opq'
/** What the file system of the first engine kept for itself, and what may be left of it in old images. */
const metadata = '.wh..wh.'

const noAttributes: ReadonlyMap<string, string> = new Map()
/** The largest numbers that squashfs has room for: 12 and 20 bits, as Linux does; 32 bits; the last user is nobody's. */
const majorMax = 0xfff
const minorMax = 0xfffff
const ownerMax = 0xffff_fffe
const secondsMax = 0xffff_ffff

export class ImageTree {
  readonly root: Directory = new Directory(undefined, '', -1, impliedAttributes)
  readonly #limits: LayerLimits
  readonly #walker: Walker
  readonly #owners = new Set<number>()
  #entries = 0
  #textBytes = 0

  constructor(limits: LayerLimits) {
    this.#limits = limits
    this.#walker = new Walker(this.root, limits)
  }

  /**
   * @param layer counted from the lowest on
   * @param ordinal of the entry in its layer
   * @throws {@link Refusal}
   */
  apply(layer: number, ordinal: number, entry: TarEntry): void {
    this.#count(entry)
    const parts = partsOf(entry.name, entry.name)
    const name = parts.pop()
    if (name === undefined) {
      if (entry.kind !== 'directory') throw new Refusal('is the root, and no directory', entry.name)
      this.root.said = this.#attributes(entry)
      return
    }
    if (parts.some((part) => part.startsWith(metadata)) || (name.startsWith(metadata) && name !== opaque)) return
    if (parts.some((part) => part.startsWith(whiteout)))
      throw new Refusal("is below a name that begins with '.wh.', which means that something is hidden", entry.name)
    if (name.startsWith(whiteout)) this.#hide(layer, parts, name, entry)
    else this.#put(layer, ordinal, parts, name, entry)
  }

  #count({ name, linkTarget, attributes, sizeBytes }: TarEntry): void {
    const { entriesMax, textBytesMax, fileBytesMax } = this.#limits
    if (++this.#entries > entriesMax) throw new Refusal(`is one too many: an image may have ${entriesMax}`, name)
    this.#textBytes += name.length + linkTarget.length
    for (const [key, value] of attributes) this.#textBytes += key.length + value.length
    if (this.#textBytes > textBytesMax)
      throw new Refusal(`is one too many: the names and attributes of all have more than ${textBytesMax} bytes`, name)
    if (sizeBytes > fileBytesMax) throw new Refusal(`has ${sizeBytes} bytes: ${fileBytesMax} are the most`, name)
  }

  #hide(layer: number, parts: readonly string[], name: string, entry: TarEntry): void {
    const hidden = name.slice(whiteout.length)
    if (hidden === '' || hidden === '.' || hidden === '..') throw new Refusal('hides no name', entry.name)
    const directory = this.#walker.find(parts, entry.name)
    if (directory === undefined) return
    if (name === opaque) {
      hideBelow(directory, layer)
      return
    }
    const child = directory.children.get(hidden)
    if (child !== undefined) hide(directory, hidden, child, layer)
  }

  #put(layer: number, ordinal: number, parts: readonly string[], name: string, entry: TarEntry): void {
    const parent = this.#walker.make(parts, layer, entry.name)
    const before = parent.children.get(name)
    if (entry.kind === 'directory') {
      if (before?.kind === 'directory') {
        before.layer = layer
        before.touchedBy = layer
        before.said = this.#attributes(entry)
        return
      }
      assertNew(before, layer, entry)
      this.#walker.add(parent, name, new Directory(parent, name, layer, this.#attributes(entry)), entry.name)
      return
    }
    assertNew(before, layer, entry)
    assertShort(parent, name, entry.name)
    parent.children.set(
      name,
      entry.kind === 'link' ? new HardLink(this.#targetOf(entry), layer) : this.#leaf(entry.kind, layer, ordinal, entry),
    )
  }

  #leaf(kind: Leaf['kind'], layer: number, ordinal: number, entry: TarEntry): Leaf {
    const { sizeBytes, major, minor, linkTarget, name } = entry
    const isDevice = kind === 'character' || kind === 'block'
    if (isDevice && !(major >= 0 && major <= majorMax && minor >= 0 && minor <= minorMax))
      throw new Refusal(`is a device ${major}:${minor}, which Linux does not have`, name)
    if (kind === 'symlink' && (linkTarget === '' || linkTarget.length > pathBytesMax))
      throw new Refusal(`is a symbolic link to a path of ${linkTarget.length} bytes: it may have 1 to ${pathBytesMax}`, name)
    const facts = {
      sizeBytes,
      target: kind === 'symlink' ? linkTarget : '',
      major: isDevice ? major : 0,
      minor: isDevice ? minor : 0,
    }
    return new Leaf(kind, layer, ordinal, this.#attributes(entry), facts)
  }

  /** Of a hard link: it is followed to its parent as any path, and its last name is not. */
  #targetOf({ linkTarget, name: entry }: TarEntry): Leaf {
    const parts = partsOf(linkTarget, entry, 'target')
    const name = parts.pop()
    const found = name === undefined ? this.root : this.#walker.find(parts, entry)?.children.get(name)
    if (found === undefined) throw new Refusal('is a hard link to something that is not in the image', entry)
    if (found.kind === 'directory') throw new Refusal('is a hard link to a directory', entry)
    return found.kind === 'link' ? found.to : found
  }

  #attributes({ mode, uid, gid, mtimeSeconds, attributes, name }: TarEntry): Attributes {
    for (const owner of [uid, gid]) {
      if (owner > ownerMax) throw new Refusal(`belongs to ${owner}: ${ownerMax} is the last user and group`, name)
      this.#owners.add(owner)
    }
    if (this.#owners.size > ownersMax)
      throw new Refusal(`is one too many: the files of an image may belong to ${ownersMax} different users and groups`, name)
    const clamped = Math.min(Math.max(mtimeSeconds, 0), secondsMax)
    return { mode, uid, gid, mtimeSeconds: clamped, attributes: attributes.size === 0 ? noAttributes : attributes }
  }
}

/** The specification forbids a layer to name anything twice; only directories, which say the same again, are common all the same. */
function assertNew(before: Node | undefined, layer: number, { name }: TarEntry): void {
  if (before === undefined) return
  const newest = before.kind === 'directory' ? before.touchedBy : before.layer
  if (newest === layer) throw new Refusal('is twice in it', name)
}
