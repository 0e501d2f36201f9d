/** Taking away what is sealed against writing. */

import { chmod, lstat, rm } from 'node:fs/promises'

/** Removes a directory although nobody may write to it. */
export async function removeTree(hostPath: string): Promise<void> {
  const found = await lstat(hostPath).catch(() => undefined)
  if (found?.isDirectory()) await chmod(hostPath, 0o700)
  await rm(hostPath, { recursive: true, force: true })
}
