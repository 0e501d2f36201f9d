/** Places in memory whose state directory is gone: nobody looks for their templates any more, and they take memory until the host is restarted. */

import { readFile, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { assertPrivateDirectory, type Leftover, namesIn } from '../../host/index.ts'
import { removeTree } from './remove-tree.ts'

/** Says in each place whose it is. */
const ownerFile = 'state-directory'

/** Whose the place is. A note that cannot be written only means that the place is never taken for an orphan. */
export async function noteOwner(hostPlacePath: string, hostStateDirectory: string): Promise<void> {
  await writeFile(join(hostPlacePath, ownerFile), hostStateDirectory, { flag: 'wx', mode: 0o600 }).catch(() => {})
}

/** The orphans among the places of this user beside one of them. Clones that run keep what they have mapped. */
export async function orphansLeft(hostPlacePath: string): Promise<Leftover[]> {
  const [parent, kind] = [dirname(hostPlacePath), basename(hostPlacePath).replace(/[0-9a-f]{12}$/, '')]
  const left: Leftover[] = []
  for (const name of await namesIn(parent)) {
    const hostPath = join(parent, name)
    if (!name.startsWith(kind) || hostPath === hostPlacePath) continue
    // Nothing is believed of a place that somebody else could have made.
    const owner = await assertPrivateDirectory(hostPath)
      .then(() => readFile(join(hostPath, ownerFile), 'utf8'))
      .catch(() => undefined)
    if (owner !== undefined && (await isGone(owner)))
      left.push({ kind: 'place', name: hostPath, remove: () => removePlace(hostPath) })
  }
  return left
}

/** What says whose it is goes last: if this process is killed meanwhile, the rest is found again. */
async function removePlace(hostPath: string): Promise<boolean> {
  try {
    for (const name of await namesIn(hostPath)) if (name !== ownerFile) await removeTree(join(hostPath, name))
    await removeTree(hostPath)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** Only what is known to be gone is. */
async function isGone(hostPath: string): Promise<boolean> {
  return stat(hostPath).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  )
}
