/** A user of the host for one microVM, and what has to be its own. */

import { randomInt } from 'node:crypto'
import { chown, stat } from 'node:fs/promises'

/**
 * Numbers that no user has and that no range of systemd's or of useradd's goes into: https://systemd.io/UIDS-GIDS/ leaves 0x70000000 to 0x7ffdffff unused. Which of
 * them a microVM gets is left to chance; two that have the same one by chance have still their own processes and files.
 */
const firstUser = 0x7000_0000
const users = 65_536

export function ownUserId(): number {
  return firstUser + randomInt(users)
}

/** The groups that may use the devices which not everybody may. */
export async function groupsOf(devices: readonly string[]): Promise<number[]> {
  const found = await Promise.all(devices.map((hostPath) => stat(hostPath)))
  return found.filter(({ mode }) => (mode & 0o006) !== 0o006).map(({ gid }) => gid)
}

/** Makes the files that user's; undefined stands for the user of this process. What has gone meanwhile needs no owner. */
export async function giveTo(hostPaths: readonly string[], userId: number | undefined): Promise<void> {
  const [uid, gid] = userId === undefined ? [process.getuid?.() ?? 0, process.getgid?.() ?? 0] : [userId, userId]
  for (const hostPath of hostPaths) {
    await chown(hostPath, uid, gid).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
  }
}
