/** Which boot of this host it is. */

import { readFile } from 'node:fs/promises'

/** Another after every boot; the same word on systems that do not tell. */
export async function hostBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown')).trim()
}
