/** Which place a template is built in: the first with room for all of its memory. */

import { stat } from 'node:fs/promises'
import { WarmcellError } from '../../errors.ts'
import { fileSystemOf } from '../../host/index.ts'
import { holesMib } from './holes.ts'
import type { Place, Places } from './place.ts'

/** The state of processors and devices (50 KiB, some MiB with many of them), the log of the build (1 MiB), and what a file system keeps for itself. */
const slackMib = 16

/** What other builds under way in a place may still take of it, in MiB. */
export type Reserved = (place: Place) => number

/**
 * All of the memory must fit before the guest starts, beside what the clones of other templates may come to touch: a guest that touches a page for which there is none is killed.
 *
 * @throws `HOST_UNSUPPORTED` that says what is needed, what each place has, and what to do.
 */
export async function choosePlace(
  { places, refusal }: Places,
  what: string,
  memoryMib: number,
  reserved: Reserved,
): Promise<Place> {
  const neededMib = memoryMib + slackMib
  const rooms = await Promise.all(
    places.map(async (place) => {
      const { isTmpfs, freeMib } = await fileSystemOf(place.hostPath)
      const takenMib = reserved(place) + (isTmpfs ? await holesBeside(place, places) : 0)
      return { place, freeMib: Math.max(0, freeMib - takenMib) }
    }),
  )
  const chosen = rooms.find(({ freeMib }) => freeMib >= neededMib)
  if (chosen !== undefined) return chosen.place
  const found = rooms.map(({ place, freeMib }) => `${place.hostPath} (${place.kind}) has ${freeMib} MiB`)
  const all = refusal === undefined ? found : [...found, `memory was not used, for ${refusal}`]
  throw new WarmcellError('HOST_UNSUPPORTED', `There is no room for ${what}, which needs ${neededMib} MiB: ${all.join('; ')}.`, {
    hint: 'Enlarge /dev/shm (`mount -o remount,size=4G /dev/shm`; for a container `--shm-size`), free memory or disk, name a `stateDir` on another disk, or lower `memoryMib`. `warmcell template prune` removes what is out of date.',
  })
}

/** Of every place on the same file system: the state directory may lie in memory as well. */
async function holesBeside(place: Place, places: readonly Place[]): Promise<number> {
  const { dev } = await stat(place.hostPath)
  const holes = places.map(async (other) => ((await stat(other.hostPath)).dev === dev ? holesMib(other) : 0))
  return (await Promise.all(holes)).reduce((sum, mib) => sum + mib, 0)
}
