/** Places in memory whose state directory is gone: nobody looks for their templates any more, and they take memory until the host is restarted. */

import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { preparePrivateDirectory } from '../../host/index.ts'
import { removeTree } from './remove-tree.ts'

/** Says in each place whose it is. */
const ownerFile = 'state-directory'

/** Whose the place is. A note that cannot be written only means that the place is never taken for an orphan. */
export async function noteOwner(hostPlacePath: string, hostStateDirectory: string): Promise<void> {
  await writeFile(join(hostPlacePath, ownerFile), hostStateDirectory, { flag: 'wx', mode: 0o600 }).catch(() => {})
}

/** Removes the orphans among the places of this user beside one of them. Clones that run keep what they have mapped. */
export async function removeOrphans(hostPlacePath: string): Promise<void> {
  const [parent, kind] = [dirname(hostPlacePath), basename(hostPlacePath).replace(/[0-9a-f]{12}$/, '')]
  for (const name of await readdir(parent)) {
    const hostPath = join(parent, name)
    if (!name.startsWith(kind) || hostPath === hostPlacePath) continue
    // Nothing is believed of a place that somebody else could have made.
    const owner = await preparePrivateDirectory(hostPath)
      .then(() => readFile(join(hostPath, ownerFile), 'utf8'))
      .catch(() => undefined)
    if (owner !== undefined && (await isGone(owner))) await removePlace(hostPath)
  }
}

async function removePlace(hostPath: string): Promise<void> {
  for (const name of await readdir(hostPath)) await removeTree(join(hostPath, name))
  await removeTree(hostPath)
}

/** Only what is known to be gone is. */
async function isGone(hostPath: string): Promise<boolean> {
  return stat(hostPath).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  )
}
