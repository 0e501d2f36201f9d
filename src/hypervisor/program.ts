/** Finding a program on this host. */

import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'

/** The full path of a program, as a shell would find it; undefined where there is none. */
export async function findProgram(program: string): Promise<string | undefined> {
  const candidates = program.includes('/')
    ? [resolve(program)]
    : (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, program))
  for (const candidate of candidates) {
    const runs = access(candidate, constants.X_OK).then(() => stat(candidate))
    if (await runs.then((found) => found.isFile()).catch(() => false)) return candidate
  }
  return undefined
}
