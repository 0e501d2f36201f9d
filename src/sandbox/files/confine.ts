/**
 * Which names and links of a guest's tree stay inside the tree: pure.
 *
 * A guest names what it likes. A name is taken only where each of its components is a plain one and its directory has been announced, as a directory, before; so whoever makes
 * directories and files in that order, each one new, walks through nothing but directories of its own making. Links are made last, when nobody walks any more, and only those whose target
 *
 * 1. is relative,
 * 2. has `..` nowhere but at its beginning, and
 * 3. has no more of them than there are directories between the link and the top.
 *
 * That such a link leads nowhere outside, whatever other links there are: the link lies in a directory of the tree, reached through directories alone, so that going up as many levels as (3) allows ends in a
 * directory of the tree. From there the rest of the target only goes down (2): into a file or directory of the tree, or into another of these links, which starts in a directory of the tree as well, and for
 * which the same holds. A `..` behind a name would be another matter: that name may be a link to a directory at another depth.
 */

/** The longest name and the longest path that Linux takes, in bytes. */
const nameBytesMax = 255
const pathBytesMax = 4_096

/** How deep a tree may be: far more than trees of people are, and little enough to walk it. */
export const treeDepthMax = 256

/** How many entries a tree may have, and how many characters their paths and targets: what is kept of each until the tree is whole. */
const treeEntriesMax = 1_000_000
const treeCharactersMax = 134_217_728

/** Why something of a tree is not taken: an errno and words. */
export interface Refusal {
  readonly errno: string
  readonly reason: string
}

type Announced = 'leaf' | Directory
type Directory = Map<string, Announced>

/** The names of one tree as they are announced. */
export class Tree {
  #top: Announced | undefined
  #entries = 0
  #characters = 0

  /** The components of a path from the top, none for the top itself; or why it cannot be taken. */
  announce(path: string, kind: 'directory' | 'leaf', target = ''): readonly string[] | Refusal {
    const components = componentsOf(path)
    if ('errno' in components) return components
    const name = components.at(-1) ?? ''
    this.#entries++
    this.#characters += path.length + target.length
    if (this.#entries > treeEntriesMax || this.#characters > treeCharactersMax)
      return { errno: 'EOVERFLOW', reason: `the tree has more than ${treeEntriesMax} entries, or 128 MiB of names` }
    const entry: Announced = kind === 'directory' ? new Map() : 'leaf'
    if (components.length === 0) {
      if (this.#top !== undefined) return { errno: 'EEXIST', reason: 'the top is named twice' }
      this.#top = entry
      return components
    }
    const directory = this.#directory(components.slice(0, -1))
    if (directory === undefined) return { errno: 'ENOTDIR', reason: 'what it is in was not announced as a directory' }
    if (directory.has(name)) return { errno: 'EEXIST', reason: 'it is named twice' }
    directory.set(name, entry)
    return components
  }

  #directory(components: readonly string[]): Directory | undefined {
    let found = this.#top
    for (const name of components) found = found instanceof Map ? found.get(name) : undefined
    return found instanceof Map ? found : undefined
  }
}

/** The components of a path below the top of a tree; or why it is none. */
export function componentsOf(path: string): readonly string[] | Refusal {
  if (path === '') return []
  if (path.includes('\0')) return { errno: 'EINVAL', reason: 'its name has a NUL character in it' }
  if (path.startsWith('/')) return { errno: 'EINVAL', reason: 'its name is absolute' }
  if (Buffer.byteLength(path) > pathBytesMax)
    return { errno: 'ENAMETOOLONG', reason: `its path is longer than ${pathBytesMax} bytes` }
  const components = path.split('/')
  if (components.length > treeDepthMax)
    return { errno: 'ENAMETOOLONG', reason: `it lies deeper than ${treeDepthMax} directories` }
  for (const name of components) {
    if (name === '' || name === '.' || name === '..') return { errno: 'EINVAL', reason: `its path has '${name}' in it` }
    if (Buffer.byteLength(name) > nameBytesMax)
      return { errno: 'ENAMETOOLONG', reason: `its name is longer than ${nameBytesMax} bytes` }
  }
  return components
}

/** Why a link may not be made in a directory `depth` levels below the top; undefined when it stays inside. The reasons are those at the top of this file. */
export function linkRefusal(depth: number, target: string): Refusal | undefined {
  if (target === '' || target.includes('\0') || Buffer.byteLength(target) >= pathBytesMax)
    return { errno: 'EINVAL', reason: 'a symbolic link to what is no path' }
  if (target.startsWith('/')) return { errno: 'EXDEV', reason: 'a symbolic link to an absolute path' }
  const steps = target.split('/').filter((step) => step !== '' && step !== '.')
  const down = steps.findIndex((step) => step !== '..')
  const ups = down === -1 ? steps.length : down
  if (ups > depth) return { errno: 'EXDEV', reason: 'a symbolic link that leads out of the tree' }
  if (steps.slice(ups).includes('..'))
    return { errno: 'EXDEV', reason: "a symbolic link with '..' behind a name, which may lead out of the tree" }
  return undefined
}
