/** One header of a tar file: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html, and what GNU tar adds. Names are bytes, kept as latin1. */

import { Refusal } from './refusal.ts'

export const blockBytes = 512

export interface TarHeader {
  readonly type: string
  readonly name: string
  readonly linkTarget: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly sizeBytes: number
  readonly mtimeSeconds: number
  readonly major: number
  readonly minor: number
}

/** Where the fields are, and how long. */
const at = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkTarget: [157, 100],
  magic: [257, 6],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
  /** star(1) puts times behind a shorter prefix, and says so at the very end. */
  starPrefix: [345, 131],
  starMark: [508, 4],
} as const
type Field = (typeof at)[keyof typeof at]

/** @throws {@link Refusal} for anything that is not a header. */
export function decodeHeader(block: Buffer): TarHeader {
  if (!hasChecksum(block)) throw new Refusal('is no tar file: a header has a wrong checksum')
  const name = text(block, at.name)
  const prefix = prefixOf(block)
  const whole = prefix === '' ? name : `${prefix}/${name}`
  const number = (field: Field): number => numberOf(block, field, whole)
  return {
    type: String.fromCharCode(block[at.type[0]] || 0x30),
    // Of old archives: a directory is a file whose name ends so.
    ...(block[at.type[0]] === 0 && whole.endsWith('/') && { type: '5' }),
    name: whole,
    linkTarget: text(block, at.linkTarget),
    mode: number(at.mode) & 0o7777,
    uid: number(at.uid),
    gid: number(at.gid),
    sizeBytes: number(at.size),
    mtimeSeconds: number(at.mtime),
    major: number(at.major),
    minor: number(at.minor),
  }
}

/** Archives of the last century added bytes up as signed. */
function hasChecksum(block: Buffer): boolean {
  const [from, length] = at.checksum
  let unsigned = 0
  let signed = 0
  for (let index = 0; index < blockBytes; index++) {
    const byte = index >= from && index < from + length ? 0x20 : (block[index] ?? 0)
    unsigned += byte
    signed += byte > 0x7f ? byte - 0x100 : byte
  }
  const said = /^[ \0]*([0-7]+)[ \0]*$/.exec(block.toString('latin1', from, from + length))?.[1]
  const sum = Number.parseInt(said ?? '', 8)
  return sum === unsigned || sum === signed
}

function text(block: Buffer, [from, length]: Field): string {
  const end = block.indexOf(0, from)
  return block.toString('latin1', from, end < 0 ? from + length : Math.min(end, from + length))
}

/** GNU tar keeps other things in its place. */
function prefixOf(block: Buffer): string {
  if (block.toString('latin1', at.magic[0], at.magic[0] + at.magic[1]) !== 'ustar\0') return ''
  return text(block, text(block, at.starMark) === 'tar' ? at.starPrefix : at.prefix)
}

/** Octal digits, or as GNU tar does where they do not suffice, a two's complement number behind a set first bit. */
function numberOf(block: Buffer, [from, length]: Field, name: string): number {
  const first = block[from] ?? 0
  if (first & 0x80) {
    let value = first === 0xff ? -1n : BigInt(first & 0x7f)
    for (const byte of block.subarray(from + 1, from + length)) value = value * 256n + BigInt(byte)
    const number = Number(value)
    if (!Number.isSafeInteger(number)) throw new Refusal('has a number in its header that is too large', name)
    return number
  }
  const said = /^[ \0]*([0-7]*)(?:[ \0].*)?$/s.exec(block.toString('latin1', from, from + length))?.[1]
  if (said === undefined) throw new Refusal('has a number in its header that is none', name)
  return said === '' ? 0 : Number.parseInt(said, 8)
}
