/** What is told of a stored template: also whether what it was made of is still what is here. */

import { access } from 'node:fs/promises'
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
  return inputs.root === 'base' ? '' : rootStaleness(hardware.hostRootPath, inputs.root)
}

/** A disk that was made from an image is never written to again: its name says what it holds. */
async function rootStaleness(hostPath: string, root: { readonly sha256: string } | { readonly image: string }): Promise<string> {
  const gone = `its disk image ${hostPath} is not there any more`
  if ('image' in root)
    return access(hostPath).then(
      () => '',
      () => gone,
    )
  const digest = await knownDigest(hostPath).catch(() => undefined)
  if (digest === undefined) return gone
  return digest === root.sha256 ? '' : `its disk image ${hostPath} has changed`
}

/** A digest by as much of it as tells it from others. */
function brief(value: string | number): string | number {
  return typeof value === 'string' && /^[0-9a-f]{32,}$/.test(value) ? value.slice(0, 12) : value
}
