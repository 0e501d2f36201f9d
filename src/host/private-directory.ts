/** A directory that is this user's alone, although somebody else could have been there first. */

import { lstat, mkdir } from 'node:fs/promises'

/**
 * Makes it (0700), or makes sure of the one that is there: in a directory that everybody may write to, such as /dev/shm, another user can have put one, or a link,
 * under its name.
 *
 * @throws an Error that says why it is not to be trusted, or what the file system says.
 */
export async function preparePrivateDirectory(hostPath: string): Promise<void> {
  await mkdir(hostPath, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await assertPrivateDirectory(hostPath)
}

/** @throws an Error that says why it is not to be trusted, or what the file system says: `ENOENT` when it is not there. */
export async function assertPrivateDirectory(hostPath: string): Promise<void> {
  const found = await lstat(hostPath)
  if (found.isSymbolicLink()) throw new Error(`${hostPath} is a symbolic link`)
  if (!found.isDirectory()) throw new Error(`${hostPath} is not a directory`)
  const uid = process.getuid?.() ?? found.uid
  if (found.uid !== uid) throw new Error(`${hostPath} belongs to the user ${found.uid}`)
  const mode = found.mode & 0o777
  if ((mode & 0o077) !== 0) throw new Error(`others may use ${hostPath} (mode 0${mode.toString(8)})`)
}
