/** What a file holds, told without reading it twice. */

import { createHash, randomBytes } from 'node:crypto'
import { utimesSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { digestFile, knownDigest } from '../../src/host/index.ts'
import { Scratch } from '../support/scratch.ts'

test('it is the SHA-256 of all of it, whatever the size', async () => {
  using scratch = new Scratch()
  for (const size of [0, 1, 1_048_576, 3_000_001]) {
    const data = randomBytes(size)
    expect(await digestFile(scratch.file('data', data))).toBe(createHash('sha256').update(data).digest('hex'))
  }
})

test('a known one is asked of the file again when it has been touched, also by one who sets the clock back', async () => {
  using scratch = new Scratch()
  const hostPath = scratch.file('data', 'one')
  const past = new Date(0)
  utimesSync(hostPath, past, past)
  const one = await knownDigest(hostPath)
  expect(await knownDigest(hostPath)).toBe(one)
  writeFileSync(hostPath, 'two')
  utimesSync(hostPath, past, past)
  expect(await knownDigest(hostPath)).not.toBe(one)
})

test('a long look can be given up', async () => {
  using scratch = new Scratch()
  const hostPath = scratch.file('data', Buffer.alloc(4_000_000))
  await expect(digestFile(hostPath, AbortSignal.abort('enough'))).rejects.toBe('enough')
})
