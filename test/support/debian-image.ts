/** Images of Debian's packages, for tests that need a root with a language in it. */

import { fileURLToPath } from 'node:url'
import { program } from './run.ts'

const script = fileURLToPath(new URL('../../scripts/debian-image', import.meta.url))

/** Its reference. It is made once and then found; the set-up of the tests makes all of them. */
export function debianImage(preset: 'python' | 'python-data' | 'node' | 'gcc'): string {
  return program('bash', [script, preset]).toString().trim().split('\n').at(-1) as string
}
