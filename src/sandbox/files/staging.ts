/** A tree of a guest as it is put down on the host: in a directory of its own, out of sight until it is whole. */

import type { FileHandle } from 'node:fs/promises'
import { lutimes, mkdir, mkdtemp, open, rename, rm, symlink, utimes } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { TreeEntry } from '../../agent/index.ts'
import { foreignText } from '../../common/text.ts'
import { onHost } from './host-failure.ts'

/** Set-user-id, set-group-id and sticky mean something else to the host than they did to the guest. */
const permissionBits = 0o777

/** Kept by the owner of every directory: a tree that nobody may enter or empty could not even be removed. */
const ownerBits = 0o700

const nsPerSecond = 1e9

/**
 * Makes what it is told to, each thing new: nothing that is there is opened, entered or replaced. Whoever calls it has checked names and order (confine.ts). The directory is private (0700)
 * and lies beside `hostPath`, so that what is made moves there by one rename.
 */
export class Staging {
  readonly #hostPath: string
  readonly #private: string
  /** With their times, in the order in which they came. Set at the end: each thing made in a directory changes its time. */
  readonly #directories: { hostPath: string; modifiedAt: number }[] = []
  readonly #links: { hostPath: string; target: string; modifiedAt: number }[] = []

  private constructor(hostPath: string, directory: string) {
    this.#hostPath = hostPath
    this.#private = directory
  }

  static async beside(hostPath: string): Promise<Staging> {
    const prefix = join(dirname(hostPath), '.warmcell-')
    return new Staging(hostPath, await onHost(hostPath, 'downloaded to', mkdtemp(prefix)))
  }

  async directory(components: readonly string[], { mode, modifiedNs }: TreeEntry): Promise<void> {
    const hostPath = this.#place(components)
    // The umask of this process applies, as it does to whatever else it makes.
    await this.#make(components, mkdir(hostPath, { mode: (mode & permissionBits) | ownerBits }))
    this.#directories.push({ hostPath, modifiedAt: secondsOf(modifiedNs) })
  }

  async file(components: readonly string[], { mode, modifiedNs, content }: TreeEntry): Promise<void> {
    const handle: FileHandle = await this.#make(components, open(this.#place(components), 'wx', mode & permissionBits))
    try {
      for await (const piece of content) await this.#make(components, handle.writeFile(piece))
      await this.#make(components, handle.utimes(secondsOf(modifiedNs), secondsOf(modifiedNs)))
    } finally {
      await handle.close()
    }
  }

  /** Noted: links are made when nothing else is to be made any more. */
  link(components: readonly string[], target: string, { modifiedNs }: TreeEntry): void {
    this.#links.push({ hostPath: this.#place(components), target, modifiedAt: secondsOf(modifiedNs) })
  }

  /** Makes the links, sets the times, and moves the whole to where it belongs. */
  async finish(signal: AbortSignal): Promise<void> {
    for (const { hostPath, target, modifiedAt } of this.#links) {
      signal.throwIfAborted()
      await this.#make([basename(hostPath)], symlink(target, hostPath))
      await this.#make([basename(hostPath)], lutimes(hostPath, modifiedAt, modifiedAt))
    }
    for (const { hostPath, modifiedAt } of this.#directories.reverse()) {
      signal.throwIfAborted()
      await this.#make([basename(hostPath)], utimes(hostPath, modifiedAt, modifiedAt))
    }
    signal.throwIfAborted()
    await onHost(this.#hostPath, 'downloaded to', rename(this.#place([]), this.#hostPath))
  }

  /** Nothing is left of what was not moved. */
  async remove(): Promise<void> {
    await rm(this.#private, { recursive: true, force: true })
  }

  #place(components: readonly string[]): string {
    return join(this.#private, 'top', ...components)
  }

  /** Errors name where it would have been. */
  #make<T>(components: readonly string[], work: Promise<T>): Promise<T> {
    return onHost(join(this.#hostPath, ...components.map((name) => foreignText(name, 255))), 'made', work)
  }
}

function secondsOf(ns: bigint): number {
  return Number(ns) / nsPerSecond
}
