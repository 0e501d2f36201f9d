/** Each microVM is another, from before the first byte of its tenant. */

import { expect, it } from 'vitest'
import { poolOfThisFile } from './vm.ts'

const pool = poolOfThisFile()

it('two sandboxes differ in everything that makes a machine one of its own', async () => {
  const facts =
    'head -c 16 /dev/urandom | od -An -tx1; cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id /etc/machine-id; hostname; date +%s'
  const [one, two] = await Promise.all(
    [0, 1].map(async () => {
      await using sandbox = await pool().createSandbox()
      const lines = (await sandbox.exec(facts)).stdout.trim().split('\n')
      return { id: sandbox.id, lines, at: Date.now() / 1_000 }
    }),
  )
  if (one === undefined || two === undefined) throw new Error('two were asked for')
  expect(one.lines).toHaveLength(6)
  for (const index of [0, 1, 2, 3, 4]) expect(one.lines[index]).not.toBe(two.lines[index])
  for (const { id, lines, at } of [one, two]) {
    expect(lines[3]).toMatch(/^[0-9a-f]{32}$/)
    expect(lines[4]).toBe(id)
    expect(Math.abs(Number(lines[5]) - at)).toBeLessThan(3)
  }
})
