/** Who is told of what is missing, and how: the caller who will not have it, the log, and whoever asks a sandbox. */

import { WarmcellError } from '../../errors.ts'
import type { Confinement } from './confine.ts'
import type { ConfinementGap, ConfinementInfo } from './contract.ts'

/** @throws `HOST_UNSUPPORTED` that names every gap, for a pool that wants none. */
export function assertConfined({ missing }: Confinement): void {
  if (missing.length === 0) return
  const fixes = [...new Set(missing.flatMap(({ fix }) => fix ?? []))]
  throw new WarmcellError(
    'HOST_UNSUPPORTED',
    `confinement 'strict': this host does not hold a microVM by everything. ${inWords(missing)}`,
    { hint: `${fixes.join(' ')} Or accept the gaps with confinement 'default'.`.trim() },
  )
}

let noted = false

/** Once in a process, as a warning of Node's: `process.on('warning')` hears it, `--disable-warning=WARMCELL_CONFINEMENT` silences it. */
export function noteGaps({ missing }: Confinement): void {
  if (missing.length === 0 || noted) return
  noted = true
  process.emitWarning(`microVMs are not held by everything on this host. ${inWords(missing)} See \`warmcell doctor\`.`, {
    type: 'WarmcellWarning',
    code: 'WARMCELL_CONFINEMENT',
  })
}

export function infoOf({ held, missing }: Pick<Confinement, 'held' | 'missing'>): ConfinementInfo {
  return { held: [...held], missing: missing.map(({ part }) => part) }
}

function inWords(gaps: readonly ConfinementGap[]): string {
  return gaps.map(({ part, detail }) => `${part}: ${detail}`).join(' ')
}
