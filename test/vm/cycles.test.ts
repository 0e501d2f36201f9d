/** Create, exec, destroy, again and again: nothing is left over, and memory is flat. `WARMCELL_CYCLES=1000` for the long form. */

import { readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { createPool } from '../../src/index.ts'
import { heapBytes } from '../support/memory.ts'
import { vmProcesses } from './vm.ts'

const cycles = Number(process.env.WARMCELL_CYCLES ?? 60)

/** What the heap may grow by over all cycles, in bytes: less than a kilobyte a cycle would be in the long form. */
const growthBytesMax = 4 * 1_048_576

it(`${cycles} sandboxes one after the other leave nothing`, { timeout: 1_200_000 }, async () => {
  await using pool = await createPool({ isolation: 'emulated', templates: { base: { resources: { memoryMib: 128 }, warm: 2 } } })
  await pool.ready()
  const descriptors = (): number => readdirSync('/proc/self/fd').length
  let [heap, open] = [0, 0]
  for (let cycle = 0; cycle < cycles; cycle++) {
    if (cycle === 20) [heap, open] = [heapBytes(), descriptors()]
    await using sandbox = await pool.createSandbox({ tenant: `tenant ${cycle}` })
    const { stdout } = await sandbox.exec(`echo ${cycle}`)
    expect(stdout).toBe(`${cycle}\n`)
  }
  await pool.ready()
  expect(pool.stats()).toMatchObject({ assigned: 0, waiting: 0, failures: {}, byTenant: {} })
  // Two warm ones, and what is parked or on its way: not one for each that has been.
  expect(vmProcesses().length).toBeLessThanOrEqual(6)
  expect(descriptors() - open).toBeLessThanOrEqual(24)
  expect(heapBytes() - heap).toBeLessThan(growthBytesMax)
  await pool.close()
  expect(vmProcesses()).toEqual([])
})
