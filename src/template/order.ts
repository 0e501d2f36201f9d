/** One snapshot that somebody wants: found, or built by one process while the others wait for it. */

import { WarmcellError } from '../errors.ts'
import type { Hypervisor, VmSpec } from '../hypervisor/index.ts'
import { BuildLog, buildSnapshot } from './build/index.ts'
import type { KeyInputs } from './key.ts'
import type { BuildEvent, Snapshot } from './snapshot.ts'
import { StageKeeper } from './stage-keeper.ts'
import { type Draft, type StoredTemplate, storeFailure, type TemplateStore, undefinedIfCorrupt } from './store/index.ts'
import type { Template } from './template.ts'

export interface Order {
  readonly hypervisor: Hypervisor
  readonly template: Template
  readonly plan: VmSpec
  readonly inputs: KeyInputs
  readonly key: string
  readonly readyDeadlineMs: number | undefined
}

type Announce = (event: BuildEvent) => void

const waiting: BuildEvent = { type: 'step', step: 'wait', detail: 'another process is building it' }

const waitingForStage: BuildEvent = { type: 'step', step: 'wait', detail: 'another process is building a part of it' }

/** @throws as `Templates.snapshot`. */
export async function findOrBuild(
  store: TemplateStore,
  order: Order,
  signal: AbortSignal,
  announce: Announce,
): Promise<Snapshot> {
  const { key, plan } = order
  try {
    // One that is damaged is dealt with below, by one process at a time.
    const found = await store.find(key, { signal }).catch(undefinedIfCorrupt)
    const make = (): Promise<StoredTemplate> => build(store, order, signal, announce)
    const stored = found ?? (await store.exclusively(key, signal, () => announce(waiting), make))
    await store.touch(key)
    return snapshotOf(stored, plan)
  } catch (cause) {
    signal.throwIfAborted()
    throw storeFailure(cause)
  }
}

/** Under the lock: it may have been built while this process waited for it. */
async function build(store: TemplateStore, order: Order, signal: AbortSignal, announce: Announce): Promise<StoredTemplate> {
  const { template, plan, key } = order
  const meanwhile = await store.find(key, { signal }).catch(undefinedIfCorrupt)
  if (meanwhile !== undefined) return meanwhile
  await store.remove(key)
  await store.sweep(key)
  const wish = { key, what: `template '${template.name}'`, memoryMib: plan.memoryMib }
  await store.withDraft(wish, (draft) => fill(store, draft, order, signal, announce))
  const built = await store.find(key, { signal })
  if (built !== undefined) return built
  throw new WarmcellError('TEMPLATE_CORRUPT', `Template '${template.name}' was built, and is not there any more.`, {
    hint: 'Something else removes files from the state directory or from /dev/shm.',
    retryable: true,
  })
}

async function fill(store: TemplateStore, draft: Draft, order: Order, signal: AbortSignal, announce: Announce): Promise<void> {
  const { hypervisor, template, inputs, readyDeadlineMs } = order
  const { hostMemoryPath, hostStatePath } = draft
  const log = new BuildLog(announce)
  const plan = { ...order.plan, savesTo: { hostMemoryPath, hostStatePath } }
  const stages = new StageKeeper({
    store,
    name: template.name,
    hardware: plan,
    inputs,
    draft,
    log,
    signal,
    onWait: () => announce(waitingForStage),
  })
  try {
    await buildSnapshot({ hypervisor, template, plan, stages, log, signal, readyDeadlineMs })
  } finally {
    await stages.settle()
  }
  // Where another has been stored meanwhile, that one is as good.
  await draft.publish({ name: template.name, hardware: plan, inputs }, log.bytes(), signal)
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
