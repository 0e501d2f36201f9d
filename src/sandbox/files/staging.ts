/** A tree of a guest as it is put down on the host: in a directory of its own, out of sight until it is whole. */

import type { FileHandle } from 'node:fs/promises'
import { lutimes, mkdir, mkdtemp, open, rename, rm, symlink, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TreeEntry } from '../../agent/index.ts'
import { foreignText } from '../../common/text.ts'
import { onHost } from './host-failure.ts'

/** Set-user-id, set-group-id and sticky mean something else to the host than they did to the guest. */
const permissionBits = 0o777

/** Kept by the owner of every directory: a tree that nobody may enter or empty could not even be removed. */
const ownerBits = 0o700

const nsPerSecond = 1e9

/** A guest's path in a message. */
const pathCharsMax = 256

/**
 * Makes what it is told to, each thing new: nothing that is there is opened, entered or replaced. Whoever calls it has checked names and order (confine.ts). The directory is private (0700)
 * and lies beside `hostPath`, so that what is made moves there by one rename.
 */
export class Staging {
  readonly #hostPath: string
  readonly #private: string
  /** With their times, in the order in which they came. Set at the end: each thing made in a directory changes its time. */
  readonly #directories: { path: string; modifiedAt: number }[] = []
  readonly #links: { path: string; target: string; modifiedAt: number }[] = []

  private constructor(hostPath: string, directory: string) {
    this.#hostPath = hostPath
    this.#private = directory
  }

  static async beside(hostPath: string): Promise<Staging> {
    const prefix = join(dirname(hostPath), '.warmcell-')
    return new Staging(hostPath, await onHost(hostPath, 'downloaded to', mkdtemp(prefix)))
  }

  async directory({ path, mode, modifiedNs }: TreeEntry): Promise<void> {
    // The umask of this process applies, as it does to whatever else it makes.
    await this.#make(path, mkdir(this.#place(path), { mode: (mode & permissionBits) | ownerBits }))
    this.#directories.push({ path, modifiedAt: secondsOf(modifiedNs) })
  }

  async file({ path, mode, modifiedNs, content }: TreeEntry): Promise<void> {
    const handle: FileHandle = await this.#make(path, open(this.#place(path), 'wx', mode & permissionBits))
    try {
      for await (const piece of content) await this.#make(path, handle.writeFile(piece))
      await this.#make(path, handle.utimes(secondsOf(modifiedNs), secondsOf(modifiedNs)))
    } finally {
      await handle.close()
    }
  }

  /** Noted: links are made when nothing else is to be made any more. */
  link({ path, target = '', modifiedNs }: TreeEntry): void {
    this.#links.push({ path, target, modifiedAt: secondsOf(modifiedNs) })
  }

  /** Makes the links, sets the times, and moves the whole to where it belongs. */
  async finish(signal: AbortSignal): Promise<void> {
    for (const { path, target, modifiedAt } of this.#links) {
      signal.throwIfAborted()
      await this.#make(path, symlink(target, this.#place(path)))
      await this.#make(path, lutimes(this.#place(path), modifiedAt, modifiedAt))
    }
    for (const { path, modifiedAt } of this.#directories.reverse()) {
      signal.throwIfAborted()
      await this.#make(path, utimes(this.#place(path), modifiedAt, modifiedAt))
    }
    signal.throwIfAborted()
    await onHost(this.#hostPath, 'downloaded to', rename(this.#place(''), this.#hostPath))
  }

  /** Nothing is left of what was not moved. */
  async remove(): Promise<void> {
    await rm(this.#private, { recursive: true, force: true })
  }

  #place(path: string): string {
    return join(this.#private, 'top', path)
  }

  /** Errors name where it would have been. */
  #make<T>(path: string, work: Promise<T>): Promise<T> {
    return onHost(join(this.#hostPath, foreignText(path, pathCharsMax)), 'made', work)
  }
}

function secondsOf(ns: bigint): number {
  return Number(ns) / nsPerSecond
}
