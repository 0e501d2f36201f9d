/** The templates of one state directory: a snapshot for whoever asks, found or built, and what there is to tell and to clear away. */

import { randomBytes } from 'node:crypto'
import { SharedWork } from '../common/shared-work.ts'
import { WarmcellError } from '../errors.ts'
import type { Hypervisor, Isolation } from '../hypervisor/index.ts'
import type { GuestImage } from '../image/index.ts'
import type { ListTemplatesOptions, PruneOptions, TemplateRecord } from './catalog.ts'
import { hostInputs, keyInputs } from './inputs.ts'
import { type HostInputs, templateKey } from './key.ts'
import { findOrBuild, type Order } from './order.ts'
import { planBoot } from './plan.ts'
import { recordOf } from './record.ts'
import type { BuildEvent, BuildOptions, Snapshot } from './snapshot.ts'
import { stageUnusedMsMax } from './stage-keeper.ts'
import { type StoredTemplate, TemplateStore } from './store/index.ts'
import type { Template } from './template.ts'

export interface TemplatesParts {
  readonly hypervisor: Hypervisor
  readonly image: GuestImage
  readonly isolation: Isolation
  readonly stateDirectory: string
  /** How long a template may take to become ready, in place of the limit. */
  readonly readyDeadlineMs?: number
}

export class Templates {
  readonly #parts: TemplatesParts
  /** Looked up once: a host with many processors takes milliseconds to name them. */
  readonly #host: HostInputs
  readonly #orders: SharedWork<Snapshot, BuildEvent> = new SharedWork()
  readonly #looks: SharedWork<StoredTemplate | undefined> = new SharedWork()
  #store: Promise<TemplateStore> | undefined

  constructor(parts: TemplatesParts) {
    this.#parts = parts
    this.#host = hostInputs(parts.hypervisor, parts.image)
  }

  /**
   * The snapshot of a template: found, or built first. Many callers at once, in this process or in others, get one build; one that gives up leaves the others alone.
   *
   * @throws `BOOT_FAILED` when it cannot be built, with the end of what was printed; `HOST_UNSUPPORTED` when there is no room for it; `IMAGE`; `TEMPLATE_CORRUPT`
   * when what has just been built is damaged; `INVALID_ARGUMENT` for `sharing: 'none'`; the signal's reason.
   */
  async snapshot(template: Template, { tenant, signal, onEvent }: BuildOptions = {}): Promise<Snapshot> {
    if (template.sharing === 'none') {
      throw new WarmcellError('INVALID_ARGUMENT', `template '${template.name}': with sharing 'none' there is no snapshot.`)
    }
    const { hypervisor, image, isolation } = this.#parts
    const boot = await planBoot(template, image, isolation, '')
    const inputs = await keyInputs(hypervisor, this.#host, template, boot, tenant, signal)
    const key = templateKey(inputs)
    const plan = { ...boot, id: `wc-template-${key.slice(0, 12)}-${randomBytes(4).toString('hex')}` }
    const store = await this.#open()
    const order: Order = { hypervisor, template, plan, inputs, key, readyDeadlineMs: this.#parts.readyDeadlineMs }
    return this.#orders.join(key, { signal, onEvent }, (wanted, announce) => findOrBuild(store, order, wanted, announce))
  }

  /** Looks at all of a snapshot again. @throws `TEMPLATE_CORRUPT`; the next `snapshot` builds it anew. */
  async verify({ digest }: Snapshot): Promise<void> {
    const store = await this.#open()
    // When a whole stock of clones fails at once, one look is enough for all.
    const found = await this.#looks.join(digest, {}, () => store.find(digest, { again: true }))
    if (found !== undefined) return
    throw new WarmcellError('TEMPLATE_CORRUPT', `The stored template ${digest.slice(0, 12)} is not there any more.`, {
      hint: 'It is built anew when it is next asked for.',
      retryable: true,
    })
  }

  /** What is stored, by name, newest first. */
  async list({ stages = false }: ListTemplatesOptions = {}): Promise<TemplateRecord[]> {
    const store = await this.#open()
    const entries = (await store.entries()).filter(({ manifest }) => stages || manifest?.stage === undefined)
    const records = await Promise.all(entries.map((entry) => recordOf(entry, this.#host, store)))
    return records.sort((a, b) => a.name.localeCompare(b.name) || b.createdAt.getTime() - a.createdAt.getTime())
  }

  /** Removes what is stored under a name, or under (the beginning of) a digest. Returns what it was. */
  async remove(nameOrDigest: string): Promise<TemplateRecord[]> {
    return this.#remove(({ name, digest }) => name === nameOrDigest || isBeginning(nameOrDigest, digest))
  }

  /** Removes what is of no use any more, and what builds that were killed have left. Returns what it was. */
  async prune({ all = false, unusedForMs }: PruneOptions = {}): Promise<TemplateRecord[]> {
    const now = Date.now()
    const store = await this.#open()
    await store.sweep()
    await store.sweepOrphans()
    return this.#remove(({ stage, state, usedAt }) => {
      const unusedMsMax = unusedForMs ?? (stage === undefined ? Number.POSITIVE_INFINITY : stageUnusedMsMax)
      return all || state !== 'ready' || now - usedAt.getTime() > unusedMsMax
    })
  }

  async #remove(wanted: (record: TemplateRecord) => boolean): Promise<TemplateRecord[]> {
    const store = await this.#open()
    const removed = (await this.list({ stages: true })).filter(wanted)
    for (const { digest } of removed) await store.remove(digest)
    return removed
  }

  async #open(): Promise<TemplateStore> {
    this.#store ??= TemplateStore.open(this.#parts.stateDirectory).catch((error: unknown) => {
      this.#store = undefined
      throw error
    })
    return this.#store
  }
}

/** As few digits of a digest as a person may type. */
const digestDigitsMin = 6

function isBeginning(text: string, digest: string): boolean {
  return text.length >= digestDigitsMin && digest.startsWith(text)
}
