/** Where each file of a tar file lies. Nothing is unpacked: names are looked up, and never become paths of this host. */

import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { extract, type Header } from 'tar-stream'
import { badImage } from '../failure.ts'
import { piecesOf } from './host-file.ts'

/** One part of the tar file, in bytes. */
export interface TarPart {
  readonly from: number
  readonly to: number
}

export interface TarIndex {
  readonly parts: ReadonlyMap<string, TarPart>
  /** Names that stand for other names, as they are written. */
  readonly links: ReadonlyMap<string, string>
}

/** An image has at most 127 layers, and three files for each at most. */
const entriesMax = 4_096

/** Of what comes before a file: long names, extended attributes, and what fills a tar file up at its end (10 KiB). */
const headerBytesMax = 1_024 * 1_024

/** Read at once in search of a header, in bytes: more would mostly be content, which is not wanted here. */
const headerPieceBytes = 4_096

/** Of a name in the index, in characters. */
const nameCharsMax = 512

const blockBytes = 512

/** tar-stream reads the headers; contents are jumped over, so that a large file costs no more than a small one. */
export async function indexTar(file: FileHandle, sizeBytes: number, signal: AbortSignal): Promise<TarIndex> {
  const parts = new Map<string, TarPart>()
  const links = new Map<string, string>()
  for (let position = 0, entries = 0; position < sizeBytes; entries++) {
    signal.throwIfAborted()
    if (entries > entriesMax) throw badImage(`its archive has more than ${entriesMax} files`)
    const found = await nextHeader(file, position, sizeBytes)
    if (found === undefined) break
    const { header, contentAt } = found
    const to = contentAt + (header.type === 'file' || header.type === 'contiguous-file' ? (header.size ?? 0) : 0)
    if (!Number.isSafeInteger(to) || to > sizeBytes) throw badImage('its archive is cut short')
    const name = plainName(header.name)
    if (name.length > nameCharsMax) throw badImage('a name in its archive is too long')
    if (header.type === 'file' || header.type === 'contiguous-file') parts.set(name, { from: contentAt, to })
    if (header.type === 'symlink' || header.type === 'link') links.set(name, header.linkname ?? '')
    position = contentAt + Math.ceil((to - contentAt) / blockBytes) * blockBytes
  }
  return { parts, links }
}

/** The next header at or behind a position; undefined where there is none. */
async function nextHeader(
  file: FileHandle,
  position: number,
  end: number,
): Promise<{ header: Header; contentAt: number } | undefined> {
  const source = Readable.from(piecesOf(file, position, Math.min(end, position + headerBytesMax), headerPieceBytes))
  const headers = extract()
  try {
    return await new Promise((settle, reject) => {
      source.on('error', reject)
      headers.on('error', (cause: Error) => reject(badImage('its archive is no tar file, or damaged', cause)))
      headers.on('close', () => settle(undefined))
      headers.on('entry', (header, content) => {
        content.on('error', () => {})
        settle({ header, contentAt: position + (header as Header & { byteOffset: number }).byteOffset })
      })
      source.pipe(headers)
    })
  } finally {
    source.destroy()
    headers.destroy()
  }
}

/** `./a//b` is `a/b`. */
export function plainName(name: string): string {
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')
}
