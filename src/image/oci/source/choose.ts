/** Which image is meant, in a layout that may hold many. */

import { foreignText } from '../../../common/text.ts'
import { badImage, PullFailure } from '../failure.ts'
import type { Descriptor, IndexEntry } from '../manifest.ts'
import { ociIndexType } from '../media-types.ts'

/** How many names a message gives. */
const namedMax = 20

/**
 * One entry, or an index of several that have the same name: they are for several platforms.
 *
 * @param wanted the name; undefined for the only one there is
 */
export function chooseInIndex(
  entries: readonly IndexEntry[],
  nameOf: (entry: IndexEntry) => string | undefined,
  wanted: string | undefined,
): Descriptor | { readonly bytes: Uint8Array } {
  const names = [...new Set(entries.flatMap((entry) => nameOf(entry) ?? []))]
  const meant = wanted === undefined ? entries : entries.filter((entry) => nameOf(entry) === wanted)
  const [first] = meant
  if (wanted === undefined && names.length > 1) throw askForName('it holds several images', names)
  if (first === undefined) {
    if (wanted === undefined) throw badImage('it holds no image')
    throw askForName(`it holds no image named '${foreignText(wanted, 300)}'`, names)
  }
  if (meant.length === 1) return first
  return { bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: meant })) }
}

export function askForName(message: string, names: readonly string[]): PullFailure {
  const there = foreignText(names.slice(0, namedMax).join(', '), 1_000)
  return new PullFailure(message, {
    hint: names.length === 0 ? 'No image in it has a name: leave the name out.' : `Name one of: ${there}.`,
  })
}
