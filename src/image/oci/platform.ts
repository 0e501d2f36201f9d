/** Which image of several is for this machine. */

import { foreignText } from '../../common/text.ts'
import { PullFailure } from './failure.ts'
import type { IndexEntry } from './manifest.ts'

/** Go's names, which images use, for Node's. */
const architectures: ReadonlyMap<string, string> = new Map([
  ['x64', 'amd64'],
  ['ia32', '386'],
])

export function architectureNameOf(architecture: string): string {
  return architectures.get(architecture) ?? architecture
}

/** How many platforms a message names. */
const namedMax = 20

/** What suits best, for Linux on that architecture. @throws a failure that names what there is. */
export function chooseEntry(entries: readonly IndexEntry[], architecture: string): IndexEntry {
  const images = entries.filter(({ annotations }) => annotations?.['vnd.docker.reference.type'] !== 'attestation-manifest')
  const ranked = images.map((entry) => ({ entry, rank: rankOf(entry, architecture) })).filter(({ rank }) => rank !== undefined)
  // Sorting keeps the order of equals: the first of an index is preferred.
  const [best] = ranked.sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0))
  if (best !== undefined) return best.entry
  const names = [...new Set(images.flatMap(({ platform }) => (platform ? [platformName(platform)] : [])))]
  const there = names.length === 0 ? 'nothing that says what it is for' : names.slice(0, namedMax).join(', ')
  throw new PullFailure(`it is not there for linux/${architecture}, but for ${foreignText(there, 1_000)}`, {
    hint: 'Use an image that was built for this processor.',
  })
}

/** The lowest is the best; undefined for what does not run here. */
function rankOf({ platform }: IndexEntry, architecture: string): number | undefined {
  // Not said: its configuration will tell.
  if (!platform) return 100
  if (platform.os !== 'linux' || platform.architecture !== architecture) return undefined
  const variant = platform.variant || undefined
  // Every arm64 there is has v8; every amd64 has v1, and fewer have what comes after.
  if (architecture === 'arm64') return variant === 'v8' ? 0 : variant === undefined ? 1 : 2
  return variant === undefined ? 0 : Number(/^v(\d)$/.exec(variant)?.[1] ?? 50)
}

function platformName({ os, architecture, variant }: NonNullable<IndexEntry['platform']>): string {
  return [os, architecture, variant].filter((part) => part).join('/')
}
