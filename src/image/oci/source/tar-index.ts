/** Where each file of a tar file lies. Nothing is unpacked: names are looked up, and never become paths of this host. */

import type { FileHandle } from 'node:fs/promises'
import { blockBytes, Refusal, type TarEntry, TarReader } from '../../tar/index.ts'
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

/** Contents are jumped over: a large file costs no more than a small one. */
export async function indexTar(file: FileHandle, sizeBytes: number, signal: AbortSignal): Promise<TarIndex> {
  const parts = new Map<string, TarPart>()
  const links = new Map<string, string>()
  for (let position = 0, entries = 0; position < sizeBytes; entries++) {
    signal.throwIfAborted()
    if (entries > entriesMax) throw badImage(`its archive has more than ${entriesMax} files`)
    const found = await nextHeader(file, position, sizeBytes)
    if (found === undefined) break
    const { entry, contentAt } = found
    const to = contentAt + entry.sizeBytes
    if (!Number.isSafeInteger(to) || to > sizeBytes) throw badImage('its archive is cut short')
    const name = plainName(entry.name)
    if (name.length > nameCharsMax) throw badImage('a name in its archive is too long')
    if (entry.kind === 'file') parts.set(name, { from: contentAt, to })
    if (entry.kind === 'symlink' || entry.kind === 'link') links.set(name, entry.linkTarget)
    position = contentAt + Math.ceil(entry.sizeBytes / blockBytes) * blockBytes
  }
  return { parts, links }
}

/** The next header at or behind a position; undefined where there is none. */
async function nextHeader(
  file: FileHandle,
  position: number,
  end: number,
): Promise<{ entry: TarEntry; contentAt: number } | undefined> {
  const reader = new TarReader()
  let contentAt = position
  try {
    for await (const piece of piecesOf(file, position, Math.min(end, position + headerBytesMax), headerPieceBytes)) {
      // Block by block: where the header ends, the content begins.
      for (let start = 0; start < piece.length; start += blockBytes) {
        contentAt += blockBytes
        for (const event of reader.push(piece.subarray(start, start + blockBytes)))
          if (event.type === 'entry') return { entry: event.entry, contentAt }
      }
    }
    return undefined
  } catch (cause) {
    throw cause instanceof Refusal ? badImage(`its archive is no tar file, or damaged: it ${cause.rule}`, cause) : cause
  }
}

/** `./a//b` is `a/b`. */
export function plainName(name: string): string {
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')
}
