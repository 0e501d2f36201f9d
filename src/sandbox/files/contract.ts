/** What the caller of a sandbox sees of its files. */

import type { CallOptions } from '../../common/deadline.ts'

/**
 * What a file is written from; text is written as UTF-8. A stream is taken at the guest's pace, and let go (cancelled, destroyed, returned) when the call settles before its end. A piece must
 * not change once it was given.
 */
export type FileData = string | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<string | Uint8Array>

export interface FileEntry {
  /** The last part of its path. */
  name: string
  /** Absolute, in the guest. */
  path: string
  type: 'file' | 'directory' | 'symlink' | 'other'
  /** In bytes. */
  size: number
  /** The permission bits, such as 0o644, with those of set-user-id, set-group-id and sticky. */
  mode: number
  /** By name, or by number where the guest has no name for it. */
  owner: string
  modifiedAt: Date
  /** Of a symbolic link, as it is written there. */
  symlinkTarget?: string
}

export interface FileEvent {
  /** `overflow`: changes were lost, so look for yourself; `path` is then what is watched. */
  type: 'create' | 'write' | 'remove' | 'rename' | 'overflow'
  path: string
  /** Of a rename: where it was before. */
  from?: string
}

export interface ReadFileOptions extends CallOptions {
  /**
   * 'text' (default): as UTF-8, where what is none becomes U+FFFD, and a byte order mark stays. 'bytes'. 'stream': at the pace of its reader, to be read to its end or cancelled; the `signal`
   * ends it too, with its reason, while `timeoutMs` counts only until it is there. Text and bytes are at most 256 MiB.
   */
  format?: 'text' | 'bytes' | 'stream'
}

export interface WriteFileOptions extends CallOptions {
  /** Default: that of the file that is there, or 0o644. Not for what is appended to. */
  mode?: number
  /** Who owns it. Default: the sandbox's user. In a sandbox without a `cwd` a relative path goes from this user's home. */
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
  /** How many bytes its files may have together. Default 4 GiB: a guest makes a file of any size out of nothing. More is a `FileError` with `EFBIG`. */
  maxBytes?: number
  /**
   * Told of what is left out: links that lead out of the tree (all absolute ones), devices, sockets. `path` is from the top of the tree. Without it, such a thing fails the download. One that
   * throws fails it too.
   */
  onSkipped?: (skipped: { path: string; reason: string }) => void
}

/**
 * The files of a sandbox. Paths are the guest's: absolute, or from the sandbox's `cwd`. The guest resolves them, inside its own root; the host never follows a link of
 * the guest's. Calls see the whole file system, as root does; what is made belongs to the sandbox's user.
 *
 * Every call rejects with `FILE` (a `FileError` with `errno` and `path`) when the guest refuses it, with `INVALID_ARGUMENT`, `SANDBOX_GONE`, `GUEST_UNREACHABLE`, `PROTOCOL`, `TIMEOUT`, or
 * with the signal's reason.
 *
 * @example
 * ```ts
 * await using sandbox = await createSandbox()
 * await sandbox.files.write('/srv/app/main.sh', 'wc -l < "$1"', { mode: 0o755 })
 * await sandbox.files.write('/srv/app/log', 'one\n')
 * await sandbox.files.write('/srv/app/log', 'two\n', { append: true })
 * const { stdout } = await sandbox.exec(['sh', '/srv/app/main.sh', '/srv/app/log'])
 * console.log(stdout, (await sandbox.files.list('/srv/app')).map(({ name, size }) => `${name}: ${size}`))
 * ```
 */
export interface Files {
  read(path: string, options?: ReadFileOptions & { format?: 'text' }): Promise<string>
  read(path: string, options: ReadFileOptions & { format: 'bytes' }): Promise<Uint8Array>
  read(path: string, options: ReadFileOptions & { format: 'stream' }): Promise<ReadableStream<Uint8Array>>
  /** Makes parents; atomic: a reader sees the old file or the new one, and a write that fails leaves the old one. Through a link it writes what that leads to. */
  write(path: string, data: FileData, options?: WriteFileOptions): Promise<void>
  /** What is in a directory, by path; links are not followed. At most 100,000 entries: more is `EOVERFLOW`. */
  list(path: string, options?: ListOptions): Promise<FileEntry[]>
  /** Of a symbolic link itself. */
  stat(path: string, options?: CallOptions): Promise<FileEntry>
  /** Whether something is there, also a link that leads nowhere. */
  exists(path: string, options?: CallOptions): Promise<boolean>
  /** Makes parents; a directory that is there is no error. */
  mkdir(path: string, options?: CallOptions): Promise<void>
  /** Replaces what is at `to`, as rename(2) does. */
  rename(from: string, to: string, options?: CallOptions): Promise<void>
  /** A file, a link (never what it leads to), or an empty directory. */
  remove(path: string, options?: RemoveOptions): Promise<void>
  /**
   * Changes from the moment of the first `next()` on. An `overflow` says that some were lost: look for yourself. Leaving the loop ends the watch; so does the removal of what is watched. A watch alone
   * does not keep a sandbox from being idle.
   */
  watch(path: string, options?: WatchOptions): AsyncIterable<FileEvent>
  /**
   * A file or tree of the host into the guest, with modes and times; each file appears whole or not at all, over what is there. Links below `hostPath` go as links; sockets, FIFOs and devices are `EINVAL`, a
   * file that changes its size meanwhile is `EBUSY`: `path` of the error is then the host's. What was made before a failure stays.
   */
  upload(hostPath: string, guestPath: string, options?: CallOptions): Promise<void>
  /**
   * A file or tree of the guest to `hostPath`, whole or not at all: when the call rejects, nothing is left. Writes nowhere else, whatever the guest names. A file replaces a file; a tree goes where nothing is, or an
   * empty directory. The directory that `hostPath` is in has to be there. Permission bits are kept, less this process's umask; set-user-id, owners and hard links are not.
   */
  download(guestPath: string, hostPath: string, options?: DownloadOptions): Promise<void>
}
