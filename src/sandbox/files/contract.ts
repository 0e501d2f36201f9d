/** What the caller of a sandbox sees of its files. */

import type { CallOptions } from '../../common/deadline.ts'

/** What a file is written from. A stream is taken at the guest's pace. */
export type FileData = string | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>

export interface FileEntry {
  name: string
  path: string
  type: 'file' | 'directory' | 'symlink' | 'other'
  /** In bytes. */
  size: number
  /** The permission bits, such as 0o644. */
  mode: number
  /** By name, or by number where the guest has no name for it. */
  owner: string
  modifiedAt: Date
  /** Of a symbolic link, as it is written there. */
  symlinkTarget?: string
}

export interface FileEvent {
  type: 'create' | 'write' | 'remove' | 'rename' | 'overflow'
  path: string
  /** Of a rename: where it was before. */
  from?: string
}

export interface WriteFileOptions extends CallOptions {
  /** Default: that of the file that is there, or 0o644. */
  mode?: number
  /** Who owns it. Default: the sandbox's user. */
  user?: string
  /** To the end of the file that is there, as the data comes: not atomic. */
  append?: boolean
}

export interface ListOptions extends CallOptions {
  /** How many levels of directories are listed. Default 1: the directory's own entries. */
  depth?: number
}

export interface RemoveOptions extends CallOptions {
  /** Also a directory that is not empty, with all that is in it. */
  recursive?: boolean
  /** Not an error when there is nothing. */
  force?: boolean
}

export interface WatchOptions {
  /** The whole tree below it. */
  recursive?: boolean
  /** Ends the watch: the iteration ends with its reason. */
  signal?: AbortSignal
}

export interface DownloadOptions extends CallOptions {
  /** Told of what is left out: links that lead out of the tree, devices, sockets. Without it, such a thing fails the download before anything appears at `hostPath`. */
  onSkipped?: (skipped: { path: string; reason: string }) => void
}

/**
 * The files of a sandbox. Paths are the guest's: absolute, or from the sandbox's `cwd`. The guest resolves them, inside its own root; the host never follows a link of
 * the guest's. Calls see the whole file system, as root does.
 *
 * Every call rejects with `FILE` (a `FileError` with `errno` and `path`) when the guest refuses it, with `INVALID_ARGUMENT`, `SANDBOX_GONE`, `GUEST_UNREACHABLE`, `TIMEOUT`, or
 * with the signal's reason.
 */
export interface Files {
  read(path: string, options?: { format?: 'text' } & CallOptions): Promise<string>
  read(path: string, options: { format: 'bytes' } & CallOptions): Promise<Uint8Array>
  read(path: string, options: { format: 'stream' } & CallOptions): Promise<ReadableStream<Uint8Array>>
  /** Makes parents; atomic: a reader sees the old file or the new one. */
  write(path: string, data: FileData, options?: WriteFileOptions): Promise<void>
  /** What is in a directory, by path. */
  list(path: string, options?: ListOptions): Promise<FileEntry[]>
  /** Of a symbolic link itself. */
  stat(path: string, options?: CallOptions): Promise<FileEntry>
  /** Whether something is there, also a link that leads nowhere. */
  exists(path: string, options?: CallOptions): Promise<boolean>
  /** Makes parents; a directory that is there is no error. */
  mkdir(path: string, options?: CallOptions): Promise<void>
  /** Replaces what is at `to`, as rename(2) does. */
  rename(from: string, to: string, options?: CallOptions): Promise<void>
  remove(path: string, options?: RemoveOptions): Promise<void>
  /** Changes from the moment of the first `next()` on. An `overflow` says that some were lost: look for yourself. Leaving the loop ends the watch. */
  watch(path: string, options?: WatchOptions): AsyncIterable<FileEvent>
  /** A file or tree of the host into the guest. Links go as links. */
  upload(hostPath: string, guestPath: string, options?: CallOptions): Promise<void>
  /** A file or tree of the guest to `hostPath`, whole or not at all. Writes nowhere else, whatever the guest names. */
  download(guestPath: string, hostPath: string, options?: DownloadOptions): Promise<void>
}
