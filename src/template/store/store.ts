/** Where built templates are kept on this host, for every process of this user: found, made, taken away. */

import { lstat, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { withLock } from '../../host/index.ts'
import { Draft } from './draft.ts'
import { files, isKey, temporaryName } from './layout.ts'
import { draftsLeft } from './leftovers.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { orphansLeft } from './orphans.ts'
import { type Place, type Places, preparePlaces } from './place.ts'
import { removeTree } from './remove-tree.ts'
import { choosePlace } from './room.ts'
import { type VerifyOptions, verifyTemplate } from './verify.ts'

export interface StoredTemplate {
  readonly key: string
  readonly place: Place
  readonly hostMemoryPath: string
  readonly hostStatePath: string
  readonly hostLogPath: string
  readonly manifest: Manifest
}

/** One that is there, and the reason why it is of no use where its manifest cannot be read. */
export type Entry =
  | StoredTemplate
  | { readonly key: string; readonly place: Place; readonly manifest: undefined; readonly reason: string }

/** What a draft is asked for. */
export interface DraftWish {
  readonly key: string
  /** For messages. */
  readonly what: string
  /** How much it may come to take. */
  readonly memoryMib: number
  readonly isStage?: boolean
}

export class TemplateStore {
  readonly #hostStateDirectory: string
  #places: Places
  /** The memory that drafts under way in this process may still come to take, in MiB by the path of their place. */
  readonly #reserved = new Map<string, number>()

  private constructor(hostStateDirectory: string, places: Places) {
    this.#hostStateDirectory = hostStateDirectory
    this.#places = places
  }

  /** @throws `HOST_UNSUPPORTED` when the state directory cannot be used. */
  static async open(hostStateDirectory: string): Promise<TemplateStore> {
    return new TemplateStore(hostStateDirectory, await preparePlaces(hostStateDirectory))
  }

  /**
   * The template under a key, if it is here and whole.
   *
   * @throws `TEMPLATE_CORRUPT` when it is not whole; the signal's reason.
   */
  async find(key: string, options: VerifyOptions = {}): Promise<StoredTemplate | undefined> {
    for (const place of this.#places.places) {
      const hostPath = join(place.hostPath, key)
      if (await isThere(hostPath)) return stored(place, key, await verifyTemplate(hostPath, key, options))
    }
    return undefined
  }

  /** Does the work while nobody else on this host builds the same template. @throws the signal's reason. */
  async exclusively<T>(key: string, signal: AbortSignal, onWait: () => void, work: () => Promise<T>): Promise<T> {
    await this.#prepare()
    return withLock(this.#places.hostLocksPath, key, { signal, onWait }, work)
  }

  /**
   * A draft in the best place that has room, for the time of the work; what has not been published by then is removed. A stage's is on the disk: it is only copied from,
   * and would take memory for that.
   *
   * @throws `HOST_UNSUPPORTED` when there is no room.
   */
  async withDraft<T>({ key, what, memoryMib, isStage = false }: DraftWish, work: (draft: Draft) => Promise<T>): Promise<T> {
    const reserved = ({ hostPath }: Place): number => this.#reserved.get(hostPath) ?? 0
    const { places, ...rest } = this.#places
    const place = await choosePlace({ ...rest, places: isStage ? places.slice(-1) : places }, what, memoryMib, reserved)
    this.#reserved.set(place.hostPath, reserved(place) + memoryMib)
    try {
      const draft = await Draft.begin(place, key)
      try {
        return await work(draft)
      } finally {
        await draft.discard()
      }
    } finally {
      this.#reserved.set(place.hostPath, reserved(place) - memoryMib)
    }
  }

  /** Removes a template at one stroke: whoever looks finds all of it or nothing. Clones that run keep what they have mapped. */
  async remove(key: string): Promise<boolean> {
    let removed = false
    for (const place of this.#places.places) {
      const aside = join(place.hostPath, await temporaryName(key, 'old'))
      try {
        await rename(join(place.hostPath, key), aside)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        continue
      }
      removed = true
      await removeTree(aside)
    }
    await rm(join(this.#places.hostUsedPath, key), { force: true })
    return removed
  }

  /** Removes what processes that are gone have left half made or half removed: of one key, or of all. */
  async sweep(ofKey?: string): Promise<void> {
    await this.#prepare()
    for (const { hostPath } of this.#places.places) for (const draft of await draftsLeft(hostPath, ofKey)) await draft.remove()
  }

  /** Removes what state directories that are gone have left in memory. */
  async sweepOrphans(): Promise<void> {
    const [first] = this.#places.places
    if (first === undefined || this.#places.places.length < 2) return
    for (const orphan of await orphansLeft(first.hostPath)) await orphan.remove()
  }

  /** All that are stored, by what their manifests say: their digests are not looked at. */
  async entries(): Promise<Entry[]> {
    await this.#prepare()
    const all: Entry[] = []
    for (const place of this.#places.places) {
      for (const key of (await readdir(place.hostPath)).filter(isKey)) {
        all.push(
          await readManifest(join(place.hostPath, key)).then(
            (manifest): Entry => stored(place, key, manifest),
            (error: Error): Entry => ({ key, place, manifest: undefined, reason: error.message }),
          ),
        )
      }
    }
    return all
  }

  /** Removes the stages that nobody has asked for since then: those before the last of a setup pile up with every change of it. */
  async removeStagesUnusedSince(since: Date): Promise<void> {
    for (const { key, manifest } of await this.entries()) {
      if (manifest?.stage === undefined) continue
      const usedAt = (await this.lastUsed(key)) ?? new Date(manifest.createdAt)
      if (usedAt < since) await this.remove(key)
    }
  }

  /** Remembers that it is of use now. A memory that cannot be written changes nothing. */
  async touch(key: string): Promise<void> {
    const hostPath = join(this.#places.hostUsedPath, key)
    const now = new Date()
    await utimes(hostPath, now, now)
      .catch(() => writeFile(hostPath, '', { mode: 0o600 }))
      .catch(() => {})
  }

  async lastUsed(key: string): Promise<Date | undefined> {
    return stat(join(this.#places.hostUsedPath, key)).then(
      ({ mtime }) => mtime,
      () => undefined,
    )
  }

  /** Places in memory can go while this process lives: systemd clears /dev/shm of a user who has logged out. */
  async #prepare(): Promise<void> {
    this.#places = await preparePlaces(this.#hostStateDirectory)
  }
}

function stored(place: Place, key: string, manifest: Manifest): StoredTemplate {
  const [hostMemoryPath, hostStatePath, hostLogPath] = [files.memory, files.state, files.log].map((file) =>
    join(place.hostPath, key, file),
  ) as [string, string, string]
  return { key, place, hostMemoryPath, hostStatePath, hostLogPath, manifest }
}

async function isThere(hostPath: string): Promise<boolean> {
  return lstat(hostPath).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  )
}
