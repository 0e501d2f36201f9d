/** Where everything lies that can be made again: guest images, container images, and the disks made of them. */

import { homedir } from 'node:os'
import { join } from 'node:path'

/** `WARMCELL_CACHE_DIR`, `$XDG_CACHE_HOME/warmcell` or `~/.cache/warmcell`: where the scripts that build guest images look, too. */
export function cacheDirectory(): string {
  return process.env.WARMCELL_CACHE_DIR ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'warmcell')
}
