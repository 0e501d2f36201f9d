/** An image's files as they will be, in memory: names, attributes, and where the content of each file is. No content, and no path of this host. */

/** What a directory entry leads to. */
export type Node = Directory | Leaf | HardLink

export interface Attributes {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtimeSeconds: number
  readonly attributes: ReadonlyMap<string, string>
}

/** Of a directory that a layer only leads through, and of a root that no layer says anything of: as container engines make it, but for its time. */
export const impliedAttributes: Attributes = { mode: 0o755, uid: 0, gid: 0, mtimeSeconds: 0, attributes: new Map() }

export class Directory {
  readonly kind = 'directory' as const
  readonly parent: Directory | undefined
  readonly name: string
  readonly depth: number
  /** Of its whole path, with a leading slash for all but the root. */
  readonly pathBytes: number
  readonly children: Map<string, Node> = new Map()
  /** The layer that its attributes are from. */
  layer: number
  said: Attributes
  /** The last layer that has put something below it. */
  touchedBy: number
  /** The last layer that has hidden all that lower ones have put below it. */
  clearedBy = -1

  constructor(parent: Directory | undefined, name: string, layer: number, said: Attributes) {
    this.parent = parent
    this.name = name
    this.depth = parent === undefined ? 0 : parent.depth + 1
    this.pathBytes = parent === undefined ? 0 : parent.pathBytes + 1 + name.length
    this.layer = layer
    this.touchedBy = layer
    this.said = said
  }
}

export type LeafKind = 'file' | 'symlink' | 'character' | 'block' | 'fifo'

/** All that is no directory: an inode, with as many names as lead to it. */
export class Leaf {
  readonly kind: LeafKind
  /** The layer that it is from. */
  readonly layer: number
  /** Which of that layer's entries it is. */
  readonly ordinal: number
  readonly said: Attributes
  readonly sizeBytes: number
  /** Of a symbolic link. */
  readonly target: string
  readonly major: number
  readonly minor: number
  /** Where its first name is, once the tree is complete. */
  home: Directory | undefined = undefined
  name = ''

  constructor(
    kind: LeafKind,
    layer: number,
    ordinal: number,
    said: Attributes,
    facts: { sizeBytes: number; target: string; major: number; minor: number },
  ) {
    this.kind = kind
    this.layer = layer
    this.ordinal = ordinal
    this.said = said
    this.sizeBytes = facts.sizeBytes
    this.target = facts.target
    this.major = facts.major
    this.minor = facts.minor
  }
}

/** Another name of a leaf, given to it by a layer of its own. */
export class HardLink {
  readonly kind = 'link' as const
  readonly to: Leaf
  readonly layer: number

  constructor(to: Leaf, layer: number) {
    this.to = to
    this.layer = layer
  }
}

/** A path without a leading slash; '' for the root. */
export function pathOf(directory: Directory, name = ''): string {
  const parts = name === '' ? [] : [name]
  for (let at = directory; at.parent !== undefined; at = at.parent) parts.push(at.name)
  return parts.reverse().join('/')
}

/** Hides what lower layers than this have put into a directory; what this layer has put there stays, whether it came before or comes after. */
export function hideBelow(directory: Directory, layer: number): void {
  if (directory.clearedBy === layer) return
  directory.clearedBy = layer
  for (const [name, child] of directory.children) hide(directory, name, child, layer)
}

/** Hides what lower layers than this have put at a name. */
export function hide(directory: Directory, name: string, child: Node, layer: number): void {
  if (child.kind !== 'directory') {
    if (child.layer < layer) directory.children.delete(name)
    return
  }
  if (child.touchedBy < layer) {
    directory.children.delete(name)
    return
  }
  hideBelow(child, layer)
  if (child.layer === layer) return
  // This layer leads through it, and says nothing of it.
  child.layer = layer
  child.said = impliedAttributes
}
