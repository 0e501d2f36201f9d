/** Where in an image's tree a path leads: symbolic links on the way are followed as inside the running image, so nothing leads out of it. */

import { Refusal } from '../tar/index.ts'
import { linksFollowedMax, nameBytesMax, pathBytesMax } from './limits.ts'
import { Directory, impliedAttributes, type Node } from './tree.ts'

/** A path's parts, from the root on, whether or not it begins with a slash. @throws {@link Refusal} for one that leads upwards or is too long. */
export function partsOf(path: string, entry: string, whose: 'name' | 'target' = 'name'): string[] {
  if (path.length > pathBytesMax) throw new Refusal(`has a path of ${path.length} bytes: ${pathBytesMax} are the most`, entry)
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  for (const part of parts) {
    if (part === '..') throw new Refusal(`has '..' in its ${whose}`, entry)
    if (part.length > nameBytesMax) throw new Refusal(`has a name of ${part.length} bytes: ${nameBytesMax} are the most`, entry)
  }
  return parts
}

export interface WalkLimits {
  readonly depthMax: number
  readonly stepsMax: number
}

/** Reading so many characters of a symbolic link's target, as a power of two, takes about as long as a step. */
const stepChars = 4

export class Walker {
  readonly #root: Directory
  readonly #limits: WalkLimits
  #steps = 0

  constructor(root: Directory, limits: WalkLimits) {
    this.#root = root
    this.#limits = limits
  }

  /** The directory that the parts lead to; undefined where something is missing or no directory. */
  find(parts: readonly string[], entry: string): Directory | undefined {
    return this.#walk(parts, entry, () => undefined)
  }

  /** The same for something that a layer puts below it: what is missing is made. @throws {@link Refusal} where a file is in the way. */
  make(parts: readonly string[], layer: number, entry: string): Directory {
    const found = this.#walk(
      parts,
      entry,
      (parent, name) => {
        this.#place(parent, name, entry)
        const made = new Directory(parent, name, layer, impliedAttributes)
        parent.children.set(name, made)
        return made
      },
      layer,
    )
    if (found === undefined) throw new Refusal('is below something that is no directory', entry)
    return found
  }

  /** A new directory at a name. @throws {@link Refusal} where it would be too deep. */
  add(parent: Directory, name: string, directory: Directory, entry: string): void {
    this.#place(parent, name, entry)
    parent.children.set(name, directory)
  }

  #place(parent: Directory, name: string, entry: string): void {
    if (parent.depth >= this.#limits.depthMax) throw new Refusal(`is deeper than ${this.#limits.depthMax} directories`, entry)
    assertShort(parent, name, entry)
  }

  #walk(
    parts: readonly string[],
    entry: string,
    missing: (parent: Directory, name: string) => Directory | undefined,
    layer?: number,
  ): Directory | undefined {
    let at = this.#root
    let linksFollowed = 0
    const ahead = parts.toReversed()
    if (layer !== undefined) at.touchedBy = layer
    for (let part = ahead.pop(); part !== undefined; part = ahead.pop()) {
      if (++this.#steps > this.#limits.stepsMax)
        throw new Refusal(
          `is one entry too many: the paths of all lead through more than ${this.#limits.stepsMax} directories`,
          entry,
        )
      if (part === '..') {
        at = at.parent ?? at
        continue
      }
      const next: Node | undefined = at.children.get(part) ?? missing(at, part)
      if (next === undefined) return undefined
      const leaf = next.kind === 'link' ? next.to : next
      if (leaf.kind === 'symlink') {
        if (++linksFollowed > linksFollowedMax)
          throw new Refusal(`leads through more than ${linksFollowedMax} symbolic links`, entry)
        this.#steps += leaf.target.length >> stepChars
        if (leaf.target.startsWith('/')) at = this.#root
        const further = leaf.target.split('/').filter((one) => one !== '' && one !== '.')
        for (const one of further.toReversed()) {
          if (one.length > nameBytesMax)
            throw new Refusal(`leads through a symbolic link to a name of ${one.length} bytes`, entry)
          ahead.push(one)
        }
        continue
      }
      if (leaf.kind !== 'directory') return undefined
      at = leaf
      if (layer !== undefined) at.touchedBy = layer
    }
    return at
  }
}

/** Also a short name may be at the end of a long path, where symbolic links lead. @throws {@link Refusal} */
export function assertShort(parent: Directory, name: string, entry: string): void {
  const bytes = parent.pathBytes + 1 + name.length
  if (bytes > pathBytesMax) throw new Refusal(`leads to a path of ${bytes} bytes: ${pathBytesMax} are the most`, entry)
}
