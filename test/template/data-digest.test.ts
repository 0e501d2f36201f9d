/** The digest of a stage's memory: equal for equal bytes, however they lie, and another for any other. */

import { writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { digestData } from '../../src/template/store/data-digest.ts'
import { copySparsely } from '../../src/template/store/sparse-copy.ts'
import { Scratch } from '../support/scratch.ts'

const sizeMax = 3 * 1_048_576

test('one byte, one place or one more zero is another digest; a hole is as good as zeros', async () => {
  using scratch = new Scratch()
  const digestOf = async (bytes: Uint8Array): Promise<string> => digestData(scratch.file('memory', bytes))
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: sizeMax }),
      fc.nat(sizeMax - 1),
      fc.integer({ min: 1, max: 255 }),
      async (size, at, value) => {
        const place = at % (size - 1)
        const bytes = Buffer.alloc(size)
        const digests = [await digestOf(bytes)]
        bytes[place] = value
        digests.push(await digestOf(bytes))
        await copySparsely(scratch.join('memory'), scratch.join('copy'), new AbortController().signal)
        expect(await digestData(scratch.join('copy'))).toBe(digests[1])
        digests.push(await digestOf(Buffer.concat([bytes, Buffer.alloc(1)])))
        bytes[place] = 0
        bytes[place + 1] = value
        digests.push(await digestOf(bytes))
        expect(new Set(digests).size).toBe(4)
      },
    ),
    { numRuns: 30 },
  )
})

test('an abort is its reason, and what is not there is said', async () => {
  using scratch = new Scratch()
  writeFileSync(scratch.join('memory'), 'x')
  await expect(digestData(scratch.join('memory'), AbortSignal.abort('enough'))).rejects.toBe('enough')
  await expect(digestData(scratch.join('none'))).rejects.toMatchObject({ code: 'ENOENT' })
})
