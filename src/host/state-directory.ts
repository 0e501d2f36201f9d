/** Where warmcell keeps what must outlive a process on this host. */

import { mkdir, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { withDeadline } from '../common/deadline.ts'
import { WarmcellError } from '../errors.ts'
import { temporaryFileName } from './temporary-file.ts'

/** As the XDG base directory specification has it for state. */
export function defaultStateDirectory(): string {
  return join(process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'warmcell')
}

/** A page: enough that a full disk shows. */
const trialBytes = 4_096

/** A network file system may hang, and Node 20 never returns from making a directory below /proc. */
const writeDeadlineMs = 10_000

/**
 * Makes the directory (0700: it is nobody else's business) and proves that it can be written to, now rather than half-way through a create.
 *
 * @throws `HOST_UNSUPPORTED` when it cannot: a full disk, no permission, a file in its place.
 */
export async function prepareStateDirectory(hostPath: string): Promise<void> {
  let trial: string | undefined
  try {
    const path = join(hostPath, await temporaryFileName('trial'))
    trial = path
    await withDeadline('Writing to it', { timeoutMs: writeDeadlineMs }, async () => {
      await mkdir(hostPath, { recursive: true, mode: 0o700 })
      await writeFile(path, Buffer.alloc(trialBytes))
    })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const hint = code === 'ENOSPC' || code === 'EDQUOT' ? 'Its disk is full: free some space' : 'Make it writable for this user'
    throw new WarmcellError('HOST_UNSUPPORTED', `The state directory ${hostPath} cannot be used: ${message}.`, {
      hint: `${hint}, or name another directory with \`stateDir\`.`,
      cause,
    })
  } finally {
    if (trial !== undefined) await rm(trial, { force: true }).catch(() => {})
  }
}
