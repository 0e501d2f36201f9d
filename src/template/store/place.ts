/** Where templates lie: in memory where the host has a file system there, and on the disk beside it. */

import { createHash } from 'node:crypto'
import { mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { WarmcellError } from '../../errors.ts'
import { fileSystemOf, isShortage, preparePrivateDirectory } from '../../host/index.ts'
import { storeFailure } from './failure.ts'
import { locksDirectory, usedDirectory } from './layout.ts'
import { noteOwner } from './orphans.ts'

export interface Place {
  readonly kind: 'memory' | 'disk'
  readonly hostPath: string
}

export interface Places {
  /** Best first. The last is on the disk of the state directory. */
  readonly places: readonly Place[]
  /** Why there is no place in memory, as a sentence. */
  readonly refusal: string | undefined
  readonly hostLocksPath: string
  readonly hostUsedPath: string
}

/** Linux's file system in memory that everybody may use. */
const sharedMemoryDirectory = '/dev/shm'

/**
 * Makes both places. The one in memory is below `/dev/shm`, or below the directory that `WARMCELL_TEMPLATE_DIR` names; it belongs to one user and one state
 * directory. One that is not this user's alone is not used.
 *
 * @throws `HOST_UNSUPPORTED` when the state directory cannot be used.
 */
export async function preparePlaces(hostStateDirectory: string): Promise<Places> {
  const disk = diskPlacePath(hostStateDirectory)
  const [hostLocksPath, hostUsedPath] = [join(disk, locksDirectory), join(disk, usedDirectory)]
  try {
    await mkdir(hostStateDirectory, { recursive: true, mode: 0o700 })
    for (const hostPath of [disk, hostLocksPath, hostUsedPath]) await preparePrivateDirectory(hostPath)
  } catch (cause) {
    throw new WarmcellError(
      'HOST_UNSUPPORTED',
      `The state directory ${hostStateDirectory} cannot hold templates: ${(cause as Error).message}.`,
      {
        hint: 'Make it usable for this user alone, or name another directory with `stateDir`.',
        cause,
      },
    )
  }
  const memory = await prepareMemoryPlace(await realpath(hostStateDirectory))
  const places: Place[] = [{ kind: 'disk', hostPath: disk }]
  if (typeof memory !== 'string') places.unshift(memory)
  return { places, refusal: typeof memory === 'string' ? memory : undefined, hostLocksPath, hostUsedPath }
}

export function diskPlacePath(hostStateDirectory: string): string {
  return join(hostStateDirectory, 'templates')
}

/** Where templates in memory are looked for first. */
export function templateParent(): string {
  return process.env.WARMCELL_TEMPLATE_DIR || sharedMemoryDirectory
}

/** Where the place in memory of a state directory is, or would be. */
export function memoryPlacePath(hostStateDirectory: string): { parent: string; hostPath: string; named: string | undefined } {
  const named = process.env.WARMCELL_TEMPLATE_DIR
  const parent = templateParent()
  const whose = createHash('sha256').update(hostStateDirectory).digest('hex').slice(0, 12)
  return { parent, hostPath: join(parent, `warmcell-${process.getuid?.() ?? 0}-${whose}`), named }
}

/** The place, or why there is none. */
async function prepareMemoryPlace(hostStateDirectory: string): Promise<Place | string> {
  const { parent, hostPath, named } = memoryPlacePath(hostStateDirectory)
  try {
    if (named) await mkdir(named, { recursive: true, mode: 0o700 })
    const { isTmpfs } = await fileSystemOf(parent)
    // Where the host's owner names a directory, that is where templates go, whatever it is made of.
    if (!isTmpfs && !named) return `${parent} is not in memory`
    await preparePrivateDirectory(hostPath)
    await noteOwner(hostPath, hostStateDirectory)
    return { kind: isTmpfs ? 'memory' : 'disk', hostPath }
  } catch (error) {
    if (isShortage(error)) throw storeFailure(error)
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? `there is no ${parent}` : (error as Error).message
  }
}
