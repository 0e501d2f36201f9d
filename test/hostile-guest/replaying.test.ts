/** The inputs that fuzzing begins with, and all that it has ever found: the host holds against each. */

import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { seeds } from '../../fuzz/host/seeds.ts'
import { fuzz } from '../../fuzz/host/target.ts'

const found = new URL('../../fuzz/found/host/', import.meta.url)

it('the seeds, and each with its first half or its last byte gone', async () => {
  const inputs = await seeds()
  expect(inputs.length).toBeGreaterThan(500)
  for (const input of inputs)
    for (const bytes of [input, input.subarray(0, input.length - 1), input.subarray(0, 2 + input.length / 2)]) await fuzz(bytes)
}, 60_000)

it.each(readdirSync(found).filter((name) => !name.startsWith('.')))('found by fuzzing: %s', async (name) => {
  await fuzz(readFileSync(new URL(name, found)))
})
