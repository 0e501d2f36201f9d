/** The golden examples of protocol/runtime-vectors.txt. */

import { readFileSync } from 'node:fs'
import { AnswerDecoder, type RunEnd } from '../../src/interpreter/index.ts'

export interface RuntimeVector {
  readonly name: string
  readonly language: 'python' | 'node'
  readonly request: string
  readonly answer: Buffer
  readonly means: Meaning
}

/** All that an answer says. */
export interface Meaning {
  stdout: string
  stderr: string
  results: { isValue: boolean; mime: string; data: string }[]
  end?: RunEnd
}

export function runtimeVectors(): RuntimeVector[] {
  const text = readFileSync(new URL('../../protocol/runtime-vectors.txt', import.meta.url), 'utf8')
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('name: '))
    .map((block) => {
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
      return {
        name: field('name'),
        language: field('language') as RuntimeVector['language'],
        request: field('request'),
        answer: Buffer.from(field('answer').replaceAll(' ', ''), 'hex'),
        means: JSON.parse(field('means')) as Meaning,
      }
    })
}

/** Decodes the chunks of one answer. @throws PROTOCOL */
export function meaningOf(chunks: Iterable<Buffer>): Meaning {
  const meaning: Meaning = { stdout: '', stderr: '', results: [] }
  const printed = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  const decoder = new AnswerDecoder({
    output: (stream, data) => void printed[stream].push(Buffer.from(data)),
    result: (one) => void meaning.results.push(one),
    end: (end) => {
      meaning.end = end
    },
  })
  for (const chunk of chunks) decoder.push(chunk)
  meaning.stdout = Buffer.concat(printed.stdout).toString()
  meaning.stderr = Buffer.concat(printed.stderr).toString()
  return meaning
}
