/** The disks that were made of images: found, kept for as long as a process uses them, cleared away. */

import { mkdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  allocatedBytes,
  identityText,
  type Leftover,
  leftIn,
  namesIn,
  ownerInPart,
  ownIdentity,
  preparePrivateDirectory,
  removeFile,
  ticketsLeft,
  withLock,
} from '../host/index.ts'
import { disksLeft } from './disk/index.ts'

export interface DiskRecord {
  readonly key: string
  /** What it takes on the host. */
  readonly sizeBytes: number
  readonly usedAt: Date
  /** Whether a process that lives has asked for it. */
  readonly inUse: boolean
}

const diskName = /^([0-9a-f]{64})\.img$/
const useName = /^([0-9a-f]{64})\.use\./

export class Disks {
  readonly #hostDirectory: string
  readonly #hostLocksPath: string
  #prepared: Promise<void> | undefined

  constructor(cacheDirectory: string) {
    const { hostPath, hostLocksPath } = placeOf(cacheDirectory)
    this.#hostDirectory = hostPath
    this.#hostLocksPath = hostLocksPath
  }

  /**
   * The disk under a key: found, or made by one process while the others wait. From now on it is kept until this process has ended.
   *
   * @param make leaves it at the path, whole, or nothing
   * @throws what `make` throws; the signal's reason.
   */
  async use(key: string, signal: AbortSignal, make: (hostPath: string) => Promise<unknown>): Promise<string> {
    await this.#prepare()
    const hostPath = join(this.#hostDirectory, `${key}.img`)
    await writeFile(join(this.#hostDirectory, `${key}.use.${identityText(await ownIdentity())}`), '', { mode: 0o600 })
    // Also for one that is there: it may be about to be removed by somebody who has not seen the line above.
    await withLock(this.#hostLocksPath, key, { signal }, async () => {
      if (!(await isThere(hostPath))) await make(hostPath)
      const now = new Date()
      await utimes(hostPath, now, now)
    })
    return hostPath
  }

  async list(): Promise<DiskRecord[]> {
    await this.#prepare()
    const used = await this.#used()
    const records: DiskRecord[] = []
    for (const name of await namesIn(this.#hostDirectory)) {
      const key = diskName.exec(name)?.[1]
      if (key === undefined) continue
      const found = await stat(join(this.#hostDirectory, name))
      records.push({ key, sizeBytes: allocatedBytes(found), usedAt: found.mtime, inUse: used.has(key) })
    }
    return records
  }

  /**
   * Removes those that nobody who lives has asked for, and that have not been asked for since; and what makers that are dead have left half made. Returns what it was.
   *
   * @param since in milliseconds of the epoch
   */
  async prune(since: number): Promise<DiskRecord[]> {
    for (const left of await disksLeft(this.#hostDirectory)) await left.remove()
    const removed: DiskRecord[] = []
    for (const record of await this.list()) {
      if (record.inUse || record.usedAt.getTime() >= since) continue
      await withLock(this.#hostLocksPath, record.key, {}, async () => {
        // Somebody may have come meanwhile.
        if ((await this.#used()).has(record.key)) return
        await rm(join(this.#hostDirectory, `${record.key}.img`), { force: true })
        removed.push(record)
      })
    }
    return removed
  }

  /** The keys that living processes have asked for. What dead ones have left to say so is removed. */
  async #used(): Promise<Set<string>> {
    for (const left of await usesLeft(this.#hostDirectory)) await left.remove()
    return new Set((await namesIn(this.#hostDirectory)).flatMap((name) => useName.exec(name)?.[1] ?? []))
  }

  async #prepare(): Promise<void> {
    this.#prepared ??= (async () => {
      await mkdir(join(this.#hostDirectory, '..'), { recursive: true, mode: 0o700 })
      await preparePrivateDirectory(this.#hostDirectory)
      await preparePrivateDirectory(this.#hostLocksPath)
    })().catch((error: unknown) => {
      this.#prepared = undefined
      throw error
    })
    await this.#prepared
  }
}

/** What processes that are dead have left to say that they use a disk. */
function usesLeft(hostDirectory: string): Promise<Leftover[]> {
  const parse = (name: string) => (useName.test(name) ? ownerInPart(name, 2) : undefined)
  return leftIn(hostDirectory, { kind: 'file', parse, remove: removeFile })
}

/** Half-made disks, uses, and places in line for one, whose owners are dead. */
export async function diskTracesLeft(cacheDirectory: string): Promise<Leftover[]> {
  const { hostPath, hostLocksPath } = placeOf(cacheDirectory)
  return [...(await disksLeft(hostPath)), ...(await usesLeft(hostPath)), ...(await ticketsLeft(hostLocksPath))]
}

function placeOf(cacheDirectory: string): { readonly hostPath: string; readonly hostLocksPath: string } {
  const hostPath = join(cacheDirectory, 'disks')
  return { hostPath, hostLocksPath: join(hostPath, 'locks') }
}

async function isThere(hostPath: string): Promise<boolean> {
  return stat(hostPath).then(
    () => true,
    () => false,
  )
}
