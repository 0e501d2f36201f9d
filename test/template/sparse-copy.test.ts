/** A copy of a guest's memory holds what it holds, and takes no more than what is not zero. */

import { closeSync, openSync, readFileSync, statSync, truncateSync, writeSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { copyByReading, copySparsely } from '../../src/template/store/sparse-copy.ts'
import { Scratch } from '../support/scratch.ts'

const mib = 1_048_576
const never = new AbortController().signal

/** Has data at some places of it, and holes between. */
function sparseFile(scratch: Scratch, sizeBytes: number, places: readonly number[]): string {
  const hostPath = scratch.file('memory', '')
  const file = openSync(hostPath, 'r+')
  for (const place of places) writeSync(file, Buffer.from('data'), 0, 4, place)
  closeSync(file)
  truncateSync(hostPath, sizeBytes)
  return hostPath
}

test.each([
  ['by cp', copySparsely],
  ['by reading', copyByReading],
])('%s: the same bytes, and holes stay holes', async (_, copy) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 8 * mib }), fc.array(fc.nat(8 * mib), { maxLength: 6 }), async (size, places) => {
      using scratch = new Scratch()
      const from = sparseFile(
        scratch,
        size,
        places.filter((place) => place < size - 4),
      )
      const to = scratch.file('copy', 'what was there before')
      await copy(from, to, never)
      expect(readFileSync(to).equals(readFileSync(from))).toBe(true)
      // A piece of 64 KiB for each place, and what the file system keeps for itself.
      expect(statSync(to).blocks * 512).toBeLessThanOrEqual((places.length + 1) * 131_072)
    }),
    { numRuns: 20 },
  )
})

test('a copy can be written to by its owner, whatever it is a copy of', async () => {
  using scratch = new Scratch()
  const from = scratch.file('sealed', 'x', 0o444)
  await copySparsely(from, scratch.join('copy'), never)
  expect(statSync(scratch.join('copy')).mode & 0o777).toBe(0o600)
})

test('without a cp that can, it is read', async () => {
  using scratch = new Scratch()
  scratch.script('bin/cp', 'echo "cp: unrecognized option" >&2; exit 1')
  vi.stubEnv('PATH', scratch.join('bin'))
  const from = sparseFile(scratch, 4 * mib, [mib])
  await copySparsely(from, scratch.join('one'), never)
  vi.stubEnv('PATH', scratch.join('nothing'))
  await copySparsely(from, scratch.join('two'), never)
  vi.unstubAllEnvs()
  for (const name of ['one', 'two']) expect(readFileSync(scratch.join(name)).equals(readFileSync(from))).toBe(true)
})

test('what is not there, or does not fit, is said in the file system’s words; an abort is its reason', async () => {
  using scratch = new Scratch()
  await expect(copySparsely(scratch.join('none'), scratch.join('to'), never)).rejects.toMatchObject({ code: 'ENOENT' })
  const from = scratch.file('from', Buffer.alloc(mib, 1))
  await expect(copySparsely(from, scratch.join('not/there'), never)).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(copyByReading(from, '/dev/full', never)).rejects.toMatchObject({ code: 'ENOSPC' })
  await expect(copySparsely(from, scratch.join('to'), AbortSignal.abort('enough'))).rejects.toBe('enough')
})
