/** What is told of a stored template: also whether what it was made of is still what is here. */

import { knownDigest } from '../host/index.ts'
import type { TemplateRecord } from './catalog.ts'
import type { HostInputs } from './key.ts'
import type { Entry, StoredTemplate, TemplateStore } from './store/index.ts'

export async function recordOf(entry: Entry, now: HostInputs, store: TemplateStore): Promise<TemplateRecord> {
  const { key, place, manifest } = entry
  const usedAt = await store.lastUsed(key)
  if (manifest === undefined) {
    const unknown = new Date(0)
    const facts = { name: '', digest: key, sizeBytes: 0, createdAt: unknown, usedAt: usedAt ?? unknown }
    return { ...facts, place: place.kind, state: 'corrupt', reason: entry.reason }
  }
  const createdAt = new Date(manifest.createdAt)
  const reason = await staleness(entry, now)
  return {
    name: manifest.name,
    ...(manifest.stage !== undefined && { stage: manifest.stage }),
    digest: key,
    sizeBytes: manifest.allocatedBytes,
    createdAt,
    usedAt: usedAt ?? createdAt,
    place: place.kind,
    state: reason === '' ? 'ready' : 'stale',
    reason,
  }
}

const names: Readonly<Record<keyof HostInputs, string>> = {
  formatVersion: 'format',
  architecture: 'architecture',
  processor: 'processor',
  hypervisor: 'hypervisor',
  guestImage: 'guest image',
}

/** Why nobody will ask for it again; '' when somebody may. */
async function staleness({ manifest: { inputs, hardware } }: StoredTemplate, now: HostInputs): Promise<string> {
  for (const key of Object.keys(names) as (keyof HostInputs)[]) {
    if (inputs.host[key] !== now[key]) return `its ${names[key]} was ${brief(inputs.host[key])}, and is ${brief(now[key])}`
  }
  if (inputs.root === 'base') return ''
  const digest = await knownDigest(hardware.hostRootPath).catch(() => undefined)
  if (digest === undefined) return `its disk image ${hardware.hostRootPath} is not there any more`
  return digest === inputs.root.sha256 ? '' : `its disk image ${hardware.hostRootPath} has changed`
}

/** A digest by as much of it as tells it from others. */
function brief(value: string | number): string | number {
  return typeof value === 'string' && /^[0-9a-f]{32,}$/.test(value) ? value.slice(0, 12) : value
}
