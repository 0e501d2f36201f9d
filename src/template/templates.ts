/** The templates of one state directory: a snapshot for whoever asks, found or built, and what there is to tell and to clear away. */

import { SharedWork } from '../common/shared-work.ts'
import { WarmcellError } from '../errors.ts'
import type { Hypervisor, Isolation, VmSpec } from '../hypervisor/index.ts'
import type { GuestImage } from '../image/index.ts'
import { BuildLog, buildSnapshot } from './build/index.ts'
import type { PruneOptions, TemplateRecord } from './catalog.ts'
import { hostInputs, keyInputs } from './inputs.ts'
import { type KeyInputs, templateKey } from './key.ts'
import { planBoot } from './plan.ts'
import { recordOf } from './record.ts'
import type { BuildEvent, BuildOptions, Snapshot } from './snapshot.ts'
import { type Draft, type StoredTemplate, TemplateStore } from './store/index.ts'
import type { Template } from './template.ts'

export interface TemplatesParts {
  readonly hypervisor: Hypervisor
  readonly image: GuestImage
  readonly isolation: Isolation
  readonly stateDirectory: string
  /** How long a template may take to become ready, in place of the limit. */
  readonly readyDeadlineMs?: number
}

/** What a build is asked for. */
interface Order {
  readonly template: Template
  readonly plan: VmSpec
  readonly inputs: KeyInputs
  readonly key: string
}

export class Templates {
  readonly #parts: TemplatesParts
  readonly #orders = new SharedWork<Snapshot, BuildEvent>()
  #store: Promise<TemplateStore> | undefined

  constructor(parts: TemplatesParts) {
    this.#parts = parts
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
    const inputs = await keyInputs(hostInputs(hypervisor, image), template, boot, tenant, signal)
    const key = templateKey(inputs)
    const plan = { ...boot, id: `wc-template-${key.slice(0, 12)}` }
    return this.#orders.join(key, { signal, onEvent }, (wanted, announce) =>
      this.#findOrBuild({ template, plan, inputs, key }, wanted, announce),
    )
  }

  /** Looks at all of a snapshot again. @throws `TEMPLATE_CORRUPT`; the next `snapshot` builds it anew. */
  async verify({ digest }: Snapshot): Promise<void> {
    const store = await this.#open()
    if ((await store.find(digest, { again: true })) !== undefined) return
    throw new WarmcellError('TEMPLATE_CORRUPT', `The stored template ${digest.slice(0, 12)} is not there any more.`, {
      hint: 'It is built anew when it is next asked for.',
      retryable: true,
    })
  }

  /** What is stored, by name, newest first. */
  async list(): Promise<TemplateRecord[]> {
    const store = await this.#open()
    const now = hostInputs(this.#parts.hypervisor, this.#parts.image)
    const records = await Promise.all((await store.entries()).map((entry) => recordOf(entry, now, store)))
    return records.sort((a, b) => a.name.localeCompare(b.name) || b.createdAt.getTime() - a.createdAt.getTime())
  }

  /** Removes what is stored under a name, or under (the beginning of) a digest. Returns what it was. */
  async remove(nameOrDigest: string): Promise<TemplateRecord[]> {
    return this.#remove(({ name, digest }) => name === nameOrDigest || isBeginning(nameOrDigest, digest))
  }

  /** Removes what is of no use any more, and what builds that were killed have left. Returns what it was. */
  async prune({ all = false, unusedForMs }: PruneOptions = {}): Promise<TemplateRecord[]> {
    const since = unusedForMs === undefined ? undefined : Date.now() - unusedForMs
    const store = await this.#open()
    await store.sweep()
    return this.#remove(({ state, usedAt }) => all || state !== 'ready' || (since !== undefined && usedAt.getTime() < since))
  }

  async #remove(wanted: (record: TemplateRecord) => boolean): Promise<TemplateRecord[]> {
    const store = await this.#open()
    const removed = (await this.list()).filter(wanted)
    for (const { digest } of removed) await store.remove(digest)
    return removed
  }

  async #findOrBuild(order: Order, signal: AbortSignal, announce: (event: BuildEvent) => void): Promise<Snapshot> {
    const store = await this.#open()
    const { key } = order
    // One that is damaged is dealt with below, by one process at a time.
    const found = await store.find(key, { signal }).catch(undefinedIfCorrupt)
    const stored =
      found ??
      (await store.exclusively(
        key,
        signal,
        () => announce(waiting),
        () => this.#build(store, order, signal, announce),
      ))
    await store.touch(key)
    return snapshotOf(stored, order.plan)
  }

  async #build(
    store: TemplateStore,
    order: Order,
    signal: AbortSignal,
    announce: (event: BuildEvent) => void,
  ): Promise<StoredTemplate> {
    const { template, plan, key } = order
    const meanwhile = await store.find(key, { signal }).catch(undefinedIfCorrupt)
    if (meanwhile !== undefined) return meanwhile
    await store.remove(key)
    await store.sweep(key)
    await store.withDraft(key, `template '${template.name}'`, plan.memoryMib, (draft) =>
      this.#fill(draft, order, signal, announce).catch((cause: unknown) => {
        signal.throwIfAborted()
        throw storeFailure(cause, draft)
      }),
    )
    const built = await store.find(key, { signal })
    if (built !== undefined) return built
    throw new WarmcellError('TEMPLATE_CORRUPT', `Template '${template.name}' was built, and is not there any more.`, {
      hint: 'Something else removes files from the state directory or from /dev/shm.',
      retryable: true,
    })
  }

  async #fill(draft: Draft, order: Order, signal: AbortSignal, announce: (event: BuildEvent) => void): Promise<void> {
    const { template, plan, inputs } = order
    const { hypervisor, readyDeadlineMs } = this.#parts
    const log = new BuildLog(announce)
    const { hostMemoryPath, hostStatePath } = draft
    await buildSnapshot({
      ...{ hypervisor, template, hostStatePath, log, signal, readyDeadlineMs },
      plan: { ...plan, hostMemoryPath },
    })
    // Where another has been stored meanwhile, that one is as good.
    await draft.publish({ name: template.name, hardware: plan, inputs }, log.bytes(), signal)
  }

  async #open(): Promise<TemplateStore> {
    this.#store ??= TemplateStore.open(this.#parts.stateDirectory).catch((error: unknown) => {
      this.#store = undefined
      throw error
    })
    return this.#store
  }
}

const waiting: BuildEvent = { type: 'step', step: 'wait', detail: 'another process is building it' }

/** As few digits of a digest as a person may type. */
const digestDigitsMin = 6

function isBeginning(text: string, digest: string): boolean {
  return text.length >= digestDigitsMin && digest.startsWith(text)
}

function snapshotOf({ key, hostMemoryPath, hostStatePath, manifest }: StoredTemplate, plan: VmSpec): Snapshot {
  const { isolation, vcpus, memoryMib, acpi, hostRootPath } = plan
  return {
    // The root of now: one with the same content may have moved since the template was built.
    ...{ isolation, vcpus, memoryMib, acpi, hostRootPath },
    ...{ hostMemoryPath, hostStatePath },
    digest: key,
    sizeBytes: manifest.allocatedBytes,
    createdAt: new Date(manifest.createdAt),
  }
}

function undefinedIfCorrupt(error: unknown): undefined {
  if (WarmcellError.is(error) && error.code === 'TEMPLATE_CORRUPT') return undefined
  throw error
}

/** What the file system says while a template is stored, in the words of this room. */
function storeFailure(cause: unknown, { place }: Draft): unknown {
  if (WarmcellError.is(cause) || typeof (cause as NodeJS.ErrnoException).code !== 'string') return cause
  const { message } = cause as Error
  return new WarmcellError('HOST_UNSUPPORTED', `A template cannot be stored in ${place.hostPath}: ${message}.`, {
    hint: 'Make room there, or name a `stateDir` on another disk.',
    cause,
  })
}
