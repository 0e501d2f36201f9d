/** A template in the making: a directory of its own, which becomes a stored template at one stroke or is removed. */

import { chmod, copyFile, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { allocatedBytes, digestFile, syncToDisk } from '../../host/index.ts'
import type { SnapshotFiles, VmHardware } from '../../hypervisor/index.ts'
import { formatVersion, type KeyInputs } from '../key.ts'
import { files, temporaryName } from './layout.ts'
import { manifestText } from './manifest.ts'
import type { Place } from './place.ts'
import { removeTree } from './remove-tree.ts'
import { copySparsely } from './sparse-copy.ts'
import { directoryMode, fileMode, rememberWhole } from './verify.ts'

/** What the manifest says beside what the files say themselves. */
export interface DraftFacts {
  readonly name: string
  /** Where it is a stage: how many commands of the setup it has run, and what is known of its memory from when it was copied. */
  readonly stage?: { readonly commands: number; readonly memorySha256: string }
  readonly hardware: VmHardware
  readonly inputs: KeyInputs
}

export class Draft implements SnapshotFiles {
  readonly place: Place
  readonly #key: string
  readonly #hostPath: string

  private constructor(place: Place, key: string, hostPath: string) {
    this.place = place
    this.#key = key
    this.#hostPath = hostPath
  }

  static async begin(place: Place, key: string): Promise<Draft> {
    const hostPath = join(place.hostPath, await temporaryName(key, 'new'))
    await mkdir(hostPath, { mode: 0o700 })
    return new Draft(place, key, hostPath)
  }

  get hostMemoryPath(): string {
    return join(this.#hostPath, files.memory)
  }

  get hostStatePath(): string {
    return join(this.#hostPath, files.state)
  }

  /**
   * Makes its memory and its state those of another, which must not change meanwhile.
   *
   * @param accepting asked when the copies are whole, before they take the place of what is there: false leaves that as it is
   * @returns whether it has them
   * @throws what the file system says, ENOENT where one of them has gone; the signal's reason; what `accepting` throws. What is there then is as it was.
   */
  async fillFrom(
    { hostMemoryPath, hostStatePath }: SnapshotFiles,
    signal: AbortSignal,
    accepting: (hostMemoryPath: string) => Promise<boolean> = async () => true,
  ): Promise<boolean> {
    const [memory, state] = [this.hostMemoryPath, this.hostStatePath].map((path) => `${path}.copy`) as [string, string]
    try {
      await copySparsely(hostMemoryPath, memory, signal)
      await copyFile(hostStatePath, state)
      // The copy of a sealed file would be sealed as well.
      await chmod(state, 0o600)
      if (!(await accepting(memory))) return false
      await rename(memory, this.hostMemoryPath)
      await rename(state, this.hostStatePath)
      return true
    } finally {
      for (const copy of [memory, state]) await rm(copy, { force: true })
    }
  }

  /** What its memory takes, holes left out. */
  async allocatedBytes(): Promise<number> {
    return allocatedBytes(await stat(this.hostMemoryPath))
  }

  /**
   * Makes it a stored template. Everything is on the disk before it has its name, so that a power cut leaves all of it or none; but for a stage, which is only looked for
   * to save time and is no loss: what a power cut has left of it does not have its digests.
   *
   * @returns false when another has been stored under its key meanwhile; it is then still a draft
   */
  async publish({ name, stage, hardware, inputs }: DraftFacts, log: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const seal = stage === undefined ? sealDurably : chmod
    await writeFile(join(this.#hostPath, files.log), log, { flag: 'wx' })
    for (const file of [files.memory, files.state, files.log]) await seal(join(this.#hostPath, file), fileMode)
    const { isolation, vcpus, memoryMib, acpi, hostRootPath } = hardware
    const [memory, state] = [
      await this.#stored(files.memory, signal, stage?.memorySha256),
      await this.#stored(files.state, signal),
    ]
    const manifest = manifestText({
      formatVersion,
      key: this.#key,
      name,
      stage: stage?.commands,
      createdAt: new Date().toISOString(),
      allocatedBytes: memory.allocatedBytes + state.allocatedBytes,
      files: { memory: memory.stored, state: state.stored },
      hardware: { isolation, vcpus, memoryMib, acpi, hostRootPath },
      inputs,
    })
    await writeFile(join(this.#hostPath, files.manifest), manifest, { flag: 'wx' })
    await seal(join(this.#hostPath, files.manifest), fileMode)
    await seal(this.#hostPath, directoryMode)
    signal.throwIfAborted()
    const hostPath = join(this.place.hostPath, this.#key)
    try {
      await rename(this.#hostPath, hostPath)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOTEMPTY' || code === 'EEXIST') return false
      throw error
    }
    if (stage === undefined) await syncToDisk(dirname(hostPath))
    await rememberWhole(hostPath, this.#key)
    return true
  }

  /** Removes it, unless it has become a stored template. */
  async discard(): Promise<void> {
    await removeTree(this.#hostPath)
  }

  async #stored(file: 'memory' | 'state', signal: AbortSignal, known?: string) {
    const hostPath = join(this.#hostPath, file)
    const found = await stat(hostPath)
    const sha256 = known ?? (await digestFile(hostPath, signal))
    return { stored: { sizeBytes: found.size, sha256 }, allocatedBytes: allocatedBytes(found) }
  }
}

async function sealDurably(hostPath: string, mode: number): Promise<void> {
  await chmod(hostPath, mode)
  await syncToDisk(hostPath)
}
