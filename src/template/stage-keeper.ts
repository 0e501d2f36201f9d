/** The stages of one build: taken from the store where they are there, and kept there where they were made. */

import { readFile } from 'node:fs/promises'
import { deferred } from '../common/deferred.ts'
import type { VmHardware } from '../hypervisor/index.ts'
import type { BuildLog, Stages, StageWork } from './build/index.ts'
import type { KeyInputs } from './key.ts'
import { originsOf, type Stage, stagesOf } from './stages.ts'
import { type Draft, digestData, type TemplateStore, undefinedIfCorrupt } from './store/index.ts'

/** What nobody has gone on from for so long goes with the next build, in milliseconds: seven days, as long as somebody may be away from what they were changing. */
export const stageUnusedMsMax = 604_800_000

const mib = 1_048_576

export interface StageKeeperParts {
  readonly store: TemplateStore
  /** Of the template. */
  readonly name: string
  readonly hardware: VmHardware
  readonly inputs: KeyInputs
  /** The build's own files. */
  readonly draft: Draft
  readonly log: BuildLog
  readonly signal: AbortSignal
  /** Somebody else is making what this build waits for. */
  readonly onWait: () => void
}

export class StageKeeper implements Stages {
  readonly after: readonly number[]
  readonly #parts: StageKeeperParts
  readonly #stages: readonly Stage[]
  /** What is still being put away, behind the back of the build. */
  readonly #keeping: Promise<void>[] = []

  constructor(parts: StageKeeperParts) {
    this.#parts = parts
    this.#stages = stagesOf(parts.inputs)
    this.after = this.#stages.map(({ commands }) => commands)
  }

  async restore(): Promise<number> {
    for (const { key, commands } of originsOf(this.#parts.inputs)) if (await this.#take(key)) return commands
    return 0
  }

  async reach(commands: number, work: StageWork): Promise<boolean> {
    const { store, signal, onWait } = this.#parts
    const stage = this.#stages.find((one) => one.commands === commands) as Stage
    const reached = deferred<boolean>()
    const kept = store.exclusively(stage.key, signal, onWait, async () => {
      if (await this.#take(stage.key, work)) return reached.resolve(true)
      await work.run()
      await this.#keep(stage, (copying) => work.pause(copying).then(() => reached.resolve(false)))
      reached.resolve(false)
    })
    // The next command runs while the copy becomes a stage; nobody else makes it meanwhile.
    this.#keeping.push(kept.catch(reached.reject))
    return reached.promise
  }

  /** Resolves when nothing of it is under way any more. */
  async settle(): Promise<void> {
    await Promise.all(this.#keeping)
    if (this.#keeping.length === 0) return
    // What stays there for a while longer is in nobody's way.
    await this.#parts.store.removeStagesUnusedSince(new Date(Date.now() - stageUnusedMsMax)).catch(() => {})
  }

  /** Fills the build's files from what is stored under a key. One that is damaged is as none: whoever makes it anew removes it. */
  async #take(key: string, work?: StageWork): Promise<boolean> {
    const { store, draft, log, signal } = this.#parts
    const found = await store.find(key, { signal }).catch(undefinedIfCorrupt)
    if (found === undefined) return false
    const { stage, files } = found.manifest
    const accepting = async (hostMemoryPath: string): Promise<boolean> => {
      if (stage !== undefined && (await digestData(hostMemoryPath, signal)) !== files.memory.sha256) return false
      await work?.abandon()
      return true
    }
    try {
      const said = await readFile(found.hostLogPath)
      if (!(await draft.fillFrom(found, signal, accepting))) return false
      log.recall(said)
    } catch (cause) {
      // It was removed meanwhile.
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw cause
    }
    await store.touch(key)
    return true
  }

  /**
   * Keeps what the build has made so far, in a copy. That it cannot be kept is no reason not to go on: it will be made again.
   *
   * @param pausing leaves the guest in the build's files for as long as they are copied
   * @throws what the pausing throws
   */
  async #keep(stage: Stage, pausing: StageWork['pause']): Promise<void> {
    const { store, name, hardware, draft, log, signal } = this.#parts
    const { key, commands, inputs } = stage
    const broken: unknown[] = []
    try {
      await store.remove(key)
      await store.sweep(key)
      const what = `what ${commands} of the setup commands of template '${name}' have made`
      const memoryMib = Math.ceil((await draft.allocatedBytes()) / mib)
      await store.withDraft({ key, what, memoryMib, isStage: true }, async (copy) => {
        const said = log.bytes()
        let memorySha256 = ''
        let uncopied: unknown[] = []
        // Both at once, on two processors. What they fail by, the guest need not suffer for.
        const copying = async (): Promise<void> => {
          const digesting = digestData(draft.hostMemoryPath, signal).then((digest) => {
            memorySha256 = digest
          })
          const outcomes = await Promise.allSettled([digesting, copy.fillFrom(draft, signal)])
          uncopied = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
        }
        await pausing(copying).catch((cause) => {
          broken.push(cause)
          throw cause
        })
        if (uncopied.length > 0) throw uncopied[0]
        await copy.publish({ name, stage: { commands, memorySha256 }, hardware, inputs }, said, signal)
        await store.touch(key)
      })
    } catch (cause) {
      signal.throwIfAborted()
      if (broken.length > 0) throw cause
      log.remark(`what has been made so far is not kept: ${(cause as Error).message}`)
    }
  }
}
