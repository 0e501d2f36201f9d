/** The fake guest's side of the conversation about files: protocol.md, chapter 3.3. */

import { posix } from 'node:path'
import type { Duplex } from 'node:stream'
import { encodeMessage, type GuestMessage, type HostMessage, MessageReader } from '../agent/index.ts'
import { type FakeChange, type FakeEntry, type GuestFileSystem, Refusal } from './guest-files.ts'
import { homeOf } from './guest-process.ts'
import { fileRequests } from './step.ts'

/** What is asked about files. */
export type FileRequest = Extract<HostMessage, { type: (typeof fileRequests)[number] }>

const kindNumbers = { file: 1, directory: 2, symlink: 3 } as const
const changeNumbers = { create: 1, write: 2, remove: 3, rename: 4 } as const
const overflow = 5

export function isFileRequest(message: HostMessage): message is FileRequest {
  return (fileRequests as readonly string[]).includes(message.type)
}

/** Answers one request on its stream. @throws when the host resets the stream. */
export async function serveFiles(system: GuestFileSystem, stream: Duplex, request: FileRequest): Promise<void> {
  try {
    await answer(system, stream, request)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    say(stream, { type: 'Failed', errno: error.errno, step: 'path', message: error.message })
    stream.end()
    stream.resume()
  }
}

async function answer(system: GuestFileSystem, stream: Duplex, request: FileRequest): Promise<void> {
  const place = (path: string): string => posix.resolve(homeOf(request.user), path)
  switch (request.type) {
    case 'WriteFile': {
      const written = await takeFile(system, stream, { ...request, path: place(request.path) })
      return finish(stream, { type: 'Written', sizeBytes: written })
    }
    case 'WriteTree':
      return finish(stream, { type: 'Written', sizeBytes: await takeTree(system, stream, place(request.path), request.user) })
    case 'ReadFile': {
      const data = system.read(place(request.path))
      say(stream, { type: 'Reading', sizeBytes: data.length })
      stream.write(data)
      return finish(stream)
    }
    case 'ReadTree':
      return giveTree(system, stream, place(request.path))
    case 'Stat':
      return finish(stream, entryMessage(system.stat(place(request.path))))
    case 'List': {
      for (const entry of listed(system, place(request.path), request.depth)) await said(stream, entryMessage(entry))
      return finish(stream)
    }
    case 'MakeDirectory':
      system.makeDirectory(place(request.path), request.user)
      return finish(stream, { type: 'Done' })
    case 'Rename':
      system.rename(posix.resolve(homeOf(request.user), request.from), posix.resolve(homeOf(request.user), request.to))
      return finish(stream, { type: 'Done' })
    case 'Remove':
      system.remove(place(request.path), request.recursive === 1)
      return finish(stream, { type: 'Done' })
    case 'Watch':
      return watch(system, stream, place(request.path), request.recursive === 1)
    default:
      return request satisfies never
  }
}

/** All that is in a directory, a directory before what is in it. */
function listed(system: GuestFileSystem, path: string, depth: number): FakeEntry[] {
  return system
    .children(path)
    .flatMap((entry) => [entry, ...(entry.kind === 'directory' && depth > 1 ? listed(system, entry.path, depth - 1) : [])])
    .map((entry) => ({ ...entry, path: posix.join(path, posix.relative(system.resolve(path), entry.path)) }))
}

async function takeFile(
  system: GuestFileSystem,
  stream: Duplex,
  { path, user, mode, append }: Extract<FileRequest, { type: 'WriteFile' }>,
): Promise<number> {
  // Refused before a byte of it is taken, as a guest does that opens the file first.
  if (system.resolve(path) === '/') throw new Refusal('EISDIR', 'Is a directory')
  if (append === 1) return appendTo(system, stream, path, { owner: user, mode })
  const data = Buffer.concat(await collect(stream))
  system.write(path, data, { owner: user, mode })
  return data.length
}

async function appendTo(
  system: GuestFileSystem,
  stream: Duplex,
  path: string,
  facts: { owner: string; mode: number | undefined },
): Promise<number> {
  let written = 0
  system.write(path, Buffer.alloc(0), { ...facts, append: true })
  for await (const chunk of chunksOf(stream)) {
    system.write(path, chunk, { ...facts, append: true })
    written += chunk.length
  }
  return written
}

async function takeTree(system: GuestFileSystem, stream: Duplex, top: string, owner: string): Promise<number> {
  const reader = new MessageReader('guest')
  const chunks = chunksOf(stream)
  const more = async (): Promise<boolean> => {
    const { done, value } = await chunks.next()
    if (done !== true) reader.push(value)
    return done !== true
  }
  let written = 0
  for (;;) {
    const node = reader.next()
    if (node === undefined) {
      if (await more()) continue
      return written
    }
    if (node.type !== 'Node') throw new Refusal('EPROTO', `${node.type} in a tree`)
    const path = posix.join(top, node.path)
    assertNoLinks(system, top, node.path)
    const { mode, modifiedNs } = node
    if (node.kind === kindNumbers.directory) system.makeDirectory(path, owner, { mode, modifiedNs })
    else if (node.kind === kindNumbers.symlink) system.link(path, node.target ?? '', owner, modifiedNs)
    else {
      const pieces: Buffer[] = []
      for (let left = node.sizeBytes; left > 0; ) {
        if (reader.leftover.length === 0 && !(await more())) throw new Refusal('EPROTO', 'a file that ends early')
        const piece = reader.leftover.subarray(0, left)
        reader.push(reader.leftover.subarray(piece.length))
        left -= piece.length
        pieces.push(piece)
      }
      const data = Buffer.concat(pieces)
      system.write(path, data, { owner, mode, modifiedNs })
      written += data.length
    }
  }
}

/** Below its top, a tree follows no link. */
function assertNoLinks(system: GuestFileSystem, top: string, path: string): void {
  const names = path.split('/').slice(0, -1)
  for (let depth = 1; depth <= names.length; depth++) {
    const parent = posix.join(top, ...names.slice(0, depth))
    if (system.stat(parent).kind !== 'directory') throw new Refusal('ENOTDIR', 'Not a directory')
  }
}

async function giveTree(system: GuestFileSystem, stream: Duplex, path: string): Promise<void> {
  const top = system.resolve(path)
  const first = system.stat(top)
  for (const entry of [first, ...(first.kind === 'directory' ? listed(system, top, Number.MAX_SAFE_INTEGER) : [])]) {
    await said(stream, { ...entryMessage(entry), path: posix.relative(top, entry.path) })
    if (entry.kind === 'file') await written(stream, system.read(entry.path))
  }
  finish(stream)
}

async function watch(system: GuestFileSystem, stream: Duplex, path: string, recursive: boolean): Promise<void> {
  const watched = system.resolve(path)
  system.stat(watched)
  say(stream, { type: 'Done' })
  let lost = false
  const end = system.onChange((change) => {
    if (!concerns(change, watched, recursive)) return
    if (stream.writableNeedDrain) {
      if (!lost) stream.once('drain', () => say(stream, { type: 'Changed', change: overflow, path }))
      lost = true
      return
    }
    lost = false
    const { type, ...paths } = change
    say(stream, { type: 'Changed', change: changeNumbers[type], ...paths })
    if (type === 'remove' && change.path === watched) finish(stream)
  })
  stream.once('close', end)
  stream.resume()
}

function concerns({ path }: FakeChange, watched: string, recursive: boolean): boolean {
  if (path === watched || posix.dirname(path) === watched) return true
  return recursive && path.startsWith(watched === '/' ? '/' : `${watched}/`)
}

function entryMessage({ kind, ...facts }: FakeEntry): Extract<GuestMessage, { type: 'Entry' }> {
  return { type: 'Entry', ...facts, kind: kindNumbers[kind] }
}

function finish(stream: Duplex, message?: GuestMessage): void {
  if (message !== undefined) say(stream, message)
  stream.end()
  stream.resume()
}

function say(stream: Duplex, message: GuestMessage): void {
  if (stream.writable) stream.write(encodeMessage(message))
}

function said(stream: Duplex, message: GuestMessage): Promise<void> {
  return written(stream, encodeMessage(message))
}

/** Resolves when there is room for more. @throws when the host has reset the stream. */
function written(stream: Duplex, data: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => stream.write(data, (error) => (error ? reject(error) : resolve())))
}

function chunksOf(stream: Duplex): AsyncIterableIterator<Buffer> {
  return stream.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>
}

async function collect(stream: Duplex): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  for await (const chunk of chunksOf(stream)) chunks.push(chunk)
  return chunks
}
