/** A user of the host for one microVM, and what has to be its own. */

import { randomInt } from 'node:crypto'
import { chown, stat } from 'node:fs/promises'
import { WarmcellError } from '../../errors.ts'

/**
 * Numbers that no user has and that no range of systemd's or of useradd's goes into: https://systemd.io/UIDS-GIDS/ leaves 0x70000000 to 0x7ffdffff unused. Which of
 * them a microVM gets is left to chance; two that have the same one by chance have still their own processes and files.
 */
const firstUser = 0x7000_0000
const users = 65_536

export function ownUserId(): number {
  return firstUser + randomInt(users)
}

/** May read and write: everybody, and its group. */
const forAll = 0o006
const forGroup = 0o060

/**
 * The groups that may use the devices which not everybody may.
 *
 * @throws `HOST_UNSUPPORTED` for a device that its owner alone may use.
 */
export async function groupsOf(devices: readonly string[]): Promise<number[]> {
  const groups: number[] = []
  for (const hostPath of devices) {
    const { mode, gid } = await stat(hostPath)
    if ((mode & forAll) === forAll) continue
    if ((mode & forGroup) !== forGroup) {
      throw new WarmcellError(
        'HOST_UNSUPPORTED',
        `${hostPath} is for its owner alone, and a microVM runs as a user of its own.`,
        {
          hint: `Give it a group: \`chgrp kvm ${hostPath} && chmod 660 ${hostPath}\`, as distributions do.`,
        },
      )
    }
    groups.push(gid)
  }
  return groups
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
