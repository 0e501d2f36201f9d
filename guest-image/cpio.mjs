// Writes a cpio archive ("newc", the format of an initramfs) from a list, so that the same list and files always give the
// same bytes and device nodes need no root: node cpio.mjs LIST OUTPUT, sources relative to the working directory.
// The list's format is that of the kernel's usr/gen_init_cpio; https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
import { readFileSync, writeFileSync } from 'node:fs'

const TYPE = { dir: 0o040000, file: 0o100000, c: 0o020000, b: 0o060000 }

/** One line of the list as an entry. Every time stamp is 0. */
function entryFrom(line) {
  const [kind, name, ...rest] = line.split(/\s+/)
  if (kind === 'dir') {
    const [mode, uid, gid] = rest
    return { name, mode: TYPE.dir | Number.parseInt(mode, 8), uid, gid, links: 2, data: Buffer.alloc(0) }
  }
  if (kind === 'file') {
    const [source, mode, uid, gid] = rest
    return { name, mode: TYPE.file | Number.parseInt(mode, 8), uid, gid, links: 1, data: readFileSync(source) }
  }
  if (kind === 'nod') {
    const [mode, uid, gid, type, major, minor] = rest
    return { name, mode: TYPE[type] | Number.parseInt(mode, 8), uid, gid, links: 1, major, minor, data: Buffer.alloc(0) }
  }
  throw new Error(`cpio.mjs: cannot read this line: ${line}`)
}

const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)])
const hex = (value) =>
  Number(value ?? 0)
    .toString(16)
    .padStart(8, '0')

/** A header of 13 hexadecimal fields, the name and the data, each padded to 4 bytes. */
function record(entry, inode) {
  const path = entry.name.replace(/^\//, '')
  const fields = [inode, entry.mode, entry.uid, entry.gid, entry.links, 0, entry.data.length]
  fields.push(0, 0, entry.major, entry.minor, path.length + 1, 0)
  return Buffer.concat([padded(Buffer.from(`070701${fields.map(hex).join('')}${path}\0`)), padded(entry.data)])
}

const [listFile, outputFile] = process.argv.slice(2)
const lines = readFileSync(listFile, 'utf8').split('\n')
const entries = lines.filter((line) => line.trim() !== '' && !line.startsWith('#')).map(entryFrom)
const trailer = { name: 'TRAILER!!!', mode: 0, links: 1, data: Buffer.alloc(0) }
writeFileSync(outputFile, Buffer.concat([...entries.map((entry, index) => record(entry, index + 1)), record(trailer, 0)]))
