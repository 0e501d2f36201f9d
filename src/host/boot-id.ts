/** Which boot of this host it is. */

import { readFile } from 'node:fs/promises'

let known: string | undefined

/** Another after every boot; the same word on systems that do not tell. */
export async function hostBootId(): Promise<string> {
  known ??= (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(untold)).trim()
  return known
}

/** A host that is only short of something, such as descriptors, must not pass for another boot. */
function untold(error: NodeJS.ErrnoException): string {
  if (['ENOENT', 'EACCES', 'EPERM'].includes(error.code ?? '')) return 'unknown'
  throw error
}
