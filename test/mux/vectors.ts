/** Reads the golden vectors that both sides of the wire are tested against. */

import { readFileSync } from 'node:fs'

/** The columns of each line of one kind, without the kind: `frame`, `message`, `bad-frame` or `bad-message`. */
export function vectors(kind: string): string[][] {
  const text = readFileSync(new URL('../../protocol/vectors.txt', import.meta.url), 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' | '))
    .filter(([first]) => first === kind)
    .map((columns) => columns.slice(1))
}
