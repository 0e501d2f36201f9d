/** The stages of one build: taken from the store where they are there, and kept there where they were made. */

import { readFile } from 'node:fs/promises'
import { deferred } from '../common/deferred.ts'
import { WarmcellError } from '../errors.ts'
import type { VmHardware } from '../hypervisor/index.ts'
import type { BuildLog, Stages } from './build/index.ts'
import type { KeyInputs } from './key.ts'
import { originsOf, type Stage, stagesOf } from './stages.ts'
import type { Draft, StoredTemplate, TemplateStore } from './store/index.ts'

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

  async reach(commands: number, work: () => Promise<void>): Promise<boolean> {
    const { store, signal, onWait } = this.#parts
    const stage = this.#stages.find((one) => one.commands === commands) as Stage
    const reached = deferred<boolean>()
    const kept = store.exclusively(stage.key, signal, onWait, async () => {
      if (await this.#take(stage.key)) return reached.resolve(true)
      await work()
      await this.#keep(stage, () => reached.resolve(false))
    })
    // The next command runs while the files of this one are digested; nobody else makes it meanwhile.
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
  async #take(key: string): Promise<boolean> {
    const { store, draft, log, signal } = this.#parts
    const found = await store.find(key, { signal }).catch(undefinedIfCorrupt)
    if (found === undefined) return false
    try {
      await draft.fillFrom(found, signal)
      log.recall(await readFile(found.hostLogPath))
    } catch (cause) {
      // It was removed meanwhile.
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
      await draft.clear()
      return false
    }
    await store.touch(key)
    return true
  }

  /**
   * Keeps the build's files as they are, in a copy. That it cannot be kept is no reason not to go on: it will be made again.
   *
   * @param onCopied called when the build's files may change again, in any case
   */
  async #keep(stage: Stage, onCopied: () => void): Promise<void> {
    const { store, name, hardware, draft, log, signal } = this.#parts
    const { key, commands, inputs } = stage
    try {
      await store.remove(key)
      await store.sweep(key)
      const what = `what ${commands} of the setup commands of template '${name}' have made`
      const memoryMib = Math.ceil((await draft.allocatedBytes()) / mib)
      await store.withDraft({ key, what, memoryMib, isStage: true }, async (copy) => {
        await copy.fillFrom(draft, signal)
        const said = log.bytes()
        onCopied()
        await copy.publish({ name, stage: commands, hardware, inputs }, said, signal)
        await store.touch(key)
      })
    } catch (cause) {
      signal.throwIfAborted()
      log.remark(`what has been made so far is not kept: ${(cause as Error).message}`)
    } finally {
      onCopied()
    }
  }
}

function undefinedIfCorrupt(error: unknown): StoredTemplate | undefined {
  if (WarmcellError.is(error) && error.code === 'TEMPLATE_CORRUPT') return undefined
  throw error
}
