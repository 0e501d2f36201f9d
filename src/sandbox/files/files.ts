/** The files of one sandbox: what the caller says, checked, and made a conversation with its guest. */

import { resolve } from 'node:path'
import { type CallOptions, withDeadline } from '../../common/deadline.ts'
import { definedOnly } from '../../common/defined.ts'
import { guestPath } from '../../common/guest-path.ts'
import { assertValid, callOptions } from '../../common/validate.ts'
import { FileError } from '../../errors.ts'
import type { SandboxContext } from '../context.ts'
import type {
  DownloadOptions,
  FileData,
  FileEntry,
  FileEvent,
  Files,
  ListOptions,
  ReadFileOptions,
  RemoveOptions,
  WatchOptions,
  WriteFileOptions,
} from './contract.ts'
import { takeTree } from './download.ts'
import { byPath, fileEntry } from './entry.ts'
import {
  dataSchema,
  downloadSchema,
  listSchema,
  pathSchema,
  readSchema,
  removeSchema,
  watchSchema,
  writeSchema,
} from './options.ts'
import { asStream, asText, readWhole } from './read.ts'
import { sourceOf } from './source.ts'
import { hostTree } from './upload.ts'
import { watching } from './watch.ts'

/** Nothing is there, whichever part of the way to it is missing. */
const nothingThere: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR'])

export class SandboxFiles implements Files {
  readonly #context: SandboxContext

  constructor(context: SandboxContext) {
    this.#context = context
  }

  read(path: string, options?: ReadFileOptions & { format?: 'text' }): Promise<string>
  read(path: string, options: ReadFileOptions & { format: 'bytes' }): Promise<Uint8Array>
  read(path: string, options: ReadFileOptions & { format: 'stream' }): Promise<ReadableStream<Uint8Array>>
  async read(path: string, options: ReadFileOptions = {}): Promise<string | Uint8Array | ReadableStream<Uint8Array>> {
    check('read', { path }, readSchema, options)
    const { format = 'text', signal } = options
    const { connection, call } = this.#context
    if (format === 'stream') {
      const file = await call(() => connection.files.read(this.#path(path), { ...this.#place(path), ...limits(options) }))
      return asStream(file, { call, signal })
    }
    const bytes = await call(() =>
      withDeadline(`The reading of '${path}'`, limits(options), async (ending) => {
        const file = await connection.files.read(this.#path(path), { ...this.#place(path), signal: ending })
        ending.addEventListener('abort', () => file.close(), { once: true })
        return readWhole(file, path)
      }),
    )
    return format === 'text' ? asText(bytes) : bytes
  }

  async write(path: string, data: FileData, options: WriteFileOptions = {}): Promise<void> {
    check('write', { path }, writeSchema, options)
    assertValid(dataSchema, data, 'files.write: data')
    const source = sourceOf(data)
    try {
      const { mode, append, user } = definedOnly(options)
      const how = { ...this.#place(path), ...(mode !== undefined && { mode }), ...(append !== undefined && { append }) }
      await this.#context.call(() =>
        this.#context.connection.files.write(this.#path(path), source, {
          ...how,
          ...(user !== undefined && { user }),
          ...limits(options),
        }),
      )
    } finally {
      // Also one that was never begun: the caller's file or connection behind it is not to stay open.
      if (!(source instanceof Uint8Array)) source.release()
    }
  }

  async list(path: string, options: ListOptions = {}): Promise<FileEntry[]> {
    check('list', { path }, listSchema, options)
    const { depth = 1 } = options
    return this.#context.call(async () => {
      const how = { ...this.#place(path), depth, ...limits(options) }
      const entries = await this.#context.connection.files.list(this.#path(path), how)
      return entries.map(fileEntry).sort(byPath)
    })
  }

  async stat(path: string, options: CallOptions = {}): Promise<FileEntry> {
    check('stat', { path }, callOptions, options)
    return this.#stat(path, options)
  }

  async exists(path: string, options: CallOptions = {}): Promise<boolean> {
    check('exists', { path }, callOptions, options)
    return this.#stat(path, options).then(() => true, falseWhereNothingIs)
  }

  async mkdir(path: string, options: CallOptions = {}): Promise<void> {
    check('mkdir', { path }, callOptions, options)
    const how = { ...this.#place(path), ...limits(options) }
    await this.#context.call(() => this.#context.connection.files.makeDirectory(this.#path(path), how))
  }

  async rename(from: string, to: string, options: CallOptions = {}): Promise<void> {
    check('rename', { from, to }, callOptions, options)
    const how = { ...this.#place(from), ...limits(options) }
    await this.#context.call(() => this.#context.connection.files.rename(this.#path(from), this.#path(to), how))
  }

  async remove(path: string, options: RemoveOptions = {}): Promise<void> {
    check('remove', { path }, removeSchema, options)
    const { recursive = false, force = false } = options
    const how = { ...this.#place(path), recursive, ...limits(options) }
    const removing = this.#context.call(() => this.#context.connection.files.remove(this.#path(path), how))
    await (force ? removing.catch(falseWhereNothingIs) : removing)
  }

  watch(path: string, options: WatchOptions = {}): AsyncIterable<FileEvent> {
    check('watch', { path }, watchSchema, options)
    const { recursive = false, signal } = options
    const { call, explain, connection } = this.#context
    const how = { ...this.#place(path), recursive }
    return watching({
      open: (given) => call(() => connection.files.watch(this.#path(path), { ...how, signal: given })),
      explain,
      signal,
    })
  }

  async upload(hostPath: string, path: string, options: CallOptions = {}): Promise<void> {
    check('upload', { hostPath, guestPath: path }, callOptions, options)
    const how = { ...this.#place(path), ...limits(options) }
    await this.#context.call(() => this.#context.connection.files.writeTree(this.#path(path), hostTree(resolve(hostPath)), how))
  }

  async download(path: string, hostPath: string, options: DownloadOptions = {}): Promise<void> {
    check('download', { guestPath: path, hostPath }, downloadSchema, options)
    const { onSkipped, maxBytes } = options
    const download = { path, hostPath: resolve(hostPath), onSkipped, maxBytes }
    await this.#context.call(async () => {
      let taking: Promise<void> | undefined
      try {
        await withDeadline(`The download of '${path}'`, limits(options), (signal) => {
          const entries = this.#context.connection.files.readTree(this.#path(path), this.#place(path), signal)
          taking = takeTree(entries, download, signal)
          return taking
        })
      } catch (error) {
        // Given up or not: when the caller hears of it, nothing half done is left on the host. What was whole by then has been downloaded.
        const whole = await taking?.then(
          () => true,
          () => false,
        )
        if (whole !== true) throw error
      }
    })
  }

  #stat(path: string, options: CallOptions): Promise<FileEntry> {
    const how = { ...this.#place(path), ...limits(options) }
    return this.#context.call(async () => fileEntry(await this.#context.connection.files.stat(this.#path(path), how)))
  }

  #path(path: string): string {
    return guestPath(this.#context.cwd, path)
  }

  #place(given: string): { user: string; given: string } {
    return { user: this.#context.user, given }
  }
}

function limits({ signal, timeoutMs }: CallOptions): CallOptions {
  return definedOnly({ signal, timeoutMs }) as CallOptions
}

function check(
  call: string,
  paths: Readonly<Record<string, unknown>>,
  schema: Parameters<typeof assertValid>[0],
  options: unknown,
): void {
  for (const [name, path] of Object.entries(paths)) assertValid(pathSchema, path, `files.${call}: ${name}`)
  assertValid(schema, options, `files.${call}`)
}

function falseWhereNothingIs(error: unknown): false {
  if (error instanceof FileError && nothingThere.has(error.errno)) return false
  throw error
}
