/** The disks that were made of images: found, kept for as long as a process uses them, cleared away. */

import { mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  identityText,
  isAlive,
  ownIdentity,
  parseIdentity,
  preparePrivateDirectory,
  type Sweeper,
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
const useName = /^([0-9a-f]{64})\.use\.([\w-]+)$/

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
    const names = await readdir(this.#hostDirectory)
    const used = await this.#used(names)
    const records: DiskRecord[] = []
    for (const name of names) {
      const key = diskName.exec(name)?.[1]
      if (key === undefined) continue
      const { blocks, mtime } = await stat(join(this.#hostDirectory, name))
      records.push({ key, sizeBytes: blocks * statBlockBytes, usedAt: mtime, inUse: used.has(key) })
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
        if ((await this.#used(await readdir(this.#hostDirectory))).has(record.key)) return
        await rm(join(this.#hostDirectory, `${record.key}.img`), { force: true })
        removed.push(record)
      })
    }
    return removed
  }

  /** The keys that living processes have asked for. What dead ones have left to say so is removed. */
  async #used(names: readonly string[]): Promise<Set<string>> {
    const used = new Set<string>()
    for (const name of names) {
      const [, key, owner = ''] = useName.exec(name) ?? []
      if (key === undefined) continue
      const identity = parseIdentity(owner)
      if (identity !== undefined && (await isAlive(identity))) used.add(key)
      else await rm(join(this.#hostDirectory, name), { force: true })
    }
    return used
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

/** Half-made disks, and places in line for one, whose owners are dead. */
export function diskSweeper(cacheDirectory: string): Sweeper {
  const { hostPath, hostLocksPath } = placeOf(cacheDirectory)
  return async () => [...(await disksLeft(hostPath)), ...(await ticketsLeft(hostLocksPath))]
}

function placeOf(cacheDirectory: string): { readonly hostPath: string; readonly hostLocksPath: string } {
  const hostPath = join(cacheDirectory, 'disks')
  return { hostPath, hostLocksPath: join(hostPath, 'locks') }
}

/** In which stat(2) counts what a file takes. */
export const statBlockBytes = 512

async function isThere(hostPath: string): Promise<boolean> {
  return stat(hostPath).then(
    () => true,
    () => false,
  )
}
