/** Encodes entries of the tar file that the disk is made from: plain headers, GNU's for what is too long, pax for extended attributes and nothing else. */

import type { Attributes, Leaf } from '../layers/index.ts'
import { blockBytes } from '../tar/index.ts'

const nameBytesMax = 100
const types: Readonly<Record<Leaf['kind'] | 'directory' | 'link', string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
}

/** Two blocks of zeros. */
export const endOfTar: Buffer = Buffer.alloc(2 * blockBytes)

/** A directory; its path is relative to the root, as latin1. */
export function directoryEntry(path: string, said: Attributes): Buffer[] {
  return [...attributesOf(said), ...entry({ type: types.directory, path: path === '' ? './' : path, said })]
}

/** Anything else. The bytes of a file are to follow, and {@link paddingOf} them. */
export function leafEntry(path: string, { kind, said, target, sizeBytes, major, minor }: Leaf): Buffer[] {
  return [...attributesOf(said), ...entry({ type: types[kind], path, target, said, sizeBytes, major, minor })]
}

/** Another name of a leaf that has been there. */
export function linkEntry(path: string, target: string, said: Attributes): Buffer[] {
  return entry({ type: types.link, path, target, said })
}

/** What fills a file's last block. */
export function paddingOf(sizeBytes: number): Buffer {
  return endOfTar.subarray(0, -sizeBytes & (blockBytes - 1))
}

/** What a header says; what is left out is nothing. */
interface Header {
  readonly type: string
  readonly path: string
  readonly target?: string
  readonly said: Attributes
  readonly sizeBytes?: number
  readonly major?: number
  readonly minor?: number
}

function entry(plain: Header): Buffer[] {
  const long = (kind: string, text: string): Buffer[] =>
    text.length > nameBytesMax ? extension(kind, Buffer.from(`${text}\0`, 'latin1')) : []
  return [...long('K', plain.target ?? ''), ...long('L', plain.path), header(plain)]
}

/** Before the long names: the tool forgets those that come before it. */
function attributesOf({ attributes }: Attributes): Buffer[] {
  if (attributes.size === 0) return []
  const records = [...attributes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => record(`SCHILY.xattr.${key}=${value}\n`))
  return extension('x', Buffer.from(records.join(''), 'latin1'))
}

/** The length of a record counts its own digits. */
function record(text: string): string {
  const rest = text.length + 1
  let length = rest + String(rest).length
  length = rest + String(length).length
  return `${length} ${text}`
}

const nobody: Attributes = { mode: 0, uid: 0, gid: 0, mtimeSeconds: 0, attributes: new Map() }

function extension(type: string, bytes: Buffer): Buffer[] {
  return [header({ type, path: '././@LongLink', said: nobody, sizeBytes: bytes.length }), bytes, paddingOf(bytes.length)]
}

function header({ type, path, target = '', said, sizeBytes = 0, major = 0, minor = 0 }: Header): Buffer {
  const block = Buffer.alloc(blockBytes)
  block.write(path, 0, nameBytesMax, 'latin1')
  number(block, 100, 8, said.mode)
  number(block, 108, 8, said.uid)
  number(block, 116, 8, said.gid)
  number(block, 124, 12, sizeBytes)
  number(block, 136, 12, said.mtimeSeconds)
  block.write('        ', 148, 'latin1')
  block.write(type, 156, 'latin1')
  block.write(target, 157, nameBytesMax, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  number(block, 329, 8, major)
  number(block, 337, 8, minor)
  let sum = 0
  for (const byte of block) sum += byte
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** Octal, or where its digits do not suffice, as GNU tar does: bytes behind a set first bit. */
function number(block: Buffer, at: number, length: number, value: number): void {
  const digits = value.toString(8)
  if (digits.length < length) {
    block.write(digits.padStart(length - 1, '0'), at, 'latin1')
    return
  }
  block[at] = 0x80
  block.writeUIntBE(value, at + length - 6, 6)
}
