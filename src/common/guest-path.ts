/** Paths of the guest: joined on the host, resolved by the guest alone. */

import { posix } from 'node:path'

/** `path` as seen from `directory`. Where both are relative the guest goes on from its user's home; '' is that home. */
export function guestPath(directory: string, path: string): string {
  return directory === '' || posix.isAbsolute(path) ? path : posix.join(directory, path)
}
