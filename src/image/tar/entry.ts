/** One entry of a tar file: its header, and what came before it and says more. */

import type { TarHeader } from './header.ts'
import { attributeBytesMax } from './limits.ts'
import { paxNumber, paxTime } from './pax.ts'
import { Refusal } from './refusal.ts'

/** Names, targets and values of attributes are bytes, kept as latin1. `linkTarget` is of a link and of a symbolic link; `sizeBytes` of a file, of which so many bytes follow, and otherwise 0. */
export interface TarEntry extends Omit<TarHeader, 'type'> {
  readonly kind: EntryKind
  /** Extended attributes, by their full names. */
  readonly attributes: ReadonlyMap<string, string>
}

type EntryKind = 'file' | 'link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo'

/** What comes before an entry and says more of it than its header can. */
export interface Extension {
  pax: ReadonlyMap<string, string>
  longName?: string
  longTarget?: string
}

/** The types of POSIX, and '7', a file that shall lie in one piece. */
const kinds: ReadonlyMap<string, EntryKind> = new Map([
  ['0', 'file'],
  ['1', 'link'],
  ['2', 'symlink'],
  ['3', 'character'],
  ['4', 'block'],
  ['5', 'directory'],
  ['6', 'fifo'],
  ['7', 'file'],
])

export const noAttributes: ReadonlyMap<string, string> = new Map()
const attributePrefix = 'SCHILY.xattr.'

/** A header with what extends it. Of two long names GNU's counts, as in Go's archive/tar. */
export function entryOf(header: TarHeader, { pax, longName, longTarget }: Extension): TarEntry {
  const name = longName ?? pax.get('path') ?? header.name
  const kind = kinds.get(header.type)
  if (kind === undefined)
    throw new Refusal(`is of the type ${JSON.stringify(header.type)}, which no container engine writes`, name)
  for (const key of pax.keys())
    if (key.startsWith('GNU.sparse.')) throw new Refusal('is a sparse file, which no container engine writes', name)
  const linkTarget = longTarget ?? pax.get('linkpath') ?? header.linkTarget
  if (name.includes('\0') || linkTarget.includes('\0')) throw new Refusal('has a NUL in its name or its target', name)
  const number = (key: string, plain: number): number => {
    const said = pax.get(key)
    const value = said === undefined ? plain : paxNumber(said, key, name)
    if (value < 0) throw new Refusal(`has a negative ${key}`, name)
    return value
  }
  const mtime = pax.get('mtime')
  const sizeBytes = number('size', header.sizeBytes)
  return {
    kind,
    name,
    linkTarget,
    mode: header.mode,
    uid: number('uid', header.uid),
    gid: number('gid', header.gid),
    // Only files have content, whatever is said of others: so does every other reader take it.
    sizeBytes: kind === 'file' ? sizeBytes : 0,
    mtimeSeconds: mtime === undefined ? header.mtimeSeconds : paxTime(mtime, name),
    major: header.major,
    minor: header.minor,
    attributes: attributesOf(pax, name),
  }
}

function attributesOf(pax: ReadonlyMap<string, string>, name: string): ReadonlyMap<string, string> {
  let found: Map<string, string> | undefined
  let bytes = 0
  for (const [key, value] of pax) {
    const attribute = key.startsWith(attributePrefix) ? key.slice(attributePrefix.length) : ''
    if (!isKept(attribute)) continue
    bytes += attribute.length + value.length
    if (bytes > attributeBytesMax) throw new Refusal(`has more than ${attributeBytesMax} bytes of extended attributes`, name)
    found ??= new Map()
    found.set(attribute, value)
  }
  return found ?? noAttributes
}

/**
 * What a program of the image may have use of. `trusted.*` is the host's own; `trusted.overlay.*` and `user.overlay.*` would be obeyed by the overlay that the guest mounts on the
 * disk; labels and signatures (`security.selinux`, `security.ima`) are of a system that is not here; POSIX ACLs (`system.*`) squashfs does not hold.
 */
function isKept(attribute: string): boolean {
  if (attribute === 'security.capability') return true
  return (
    attribute.startsWith('user.') &&
    attribute.length > 'user.'.length &&
    !attribute.startsWith('user.overlay.') &&
    !attribute.includes('\0')
  )
}
