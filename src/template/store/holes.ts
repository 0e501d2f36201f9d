/** What the templates in a place have not taken of it yet, and still may. */

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { allocatedBytes, ownIdentity } from '../../host/index.ts'
import { files, isKey, parseTemporaryName } from './layout.ts'
import type { Place } from './place.ts'

/**
 * A page that the template's guest never touched is a hole in its memory file. In a file system in memory the first clone that touches it takes a page there, and
 * is ended by SIGBUS where there is none: so room for all of them is left. On a disk holes that are read take nothing. Drafts of this process are counted by who makes them.
 */
export async function holesMib({ hostPath }: Place): Promise<number> {
  const { pid } = await ownIdentity()
  const counted = (name: string): boolean => isKey(name) || (parseTemporaryName(name)?.owner.pid ?? pid) !== pid
  const holes = (await readdir(hostPath)).filter(counted).map((name) => holesOf(join(hostPath, name, files.memory)))
  return Math.ceil((await Promise.all(holes)).reduce((sum, bytes) => sum + bytes, 0) / 1_048_576)
}

async function holesOf(hostPath: string): Promise<number> {
  return stat(hostPath).then(
    (found) => Math.max(0, found.size - allocatedBytes(found)),
    () => 0, // It has gone meanwhile, or has none yet.
  )
}
