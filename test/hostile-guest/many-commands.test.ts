/** Commands in any number are queued or fail as typed errors, leave nothing, and all end with their sandbox. */

import { expect, test } from 'vitest'
import { createFakePool } from '../../src/testing/index.ts'
import { heapBytes, heldBytes, mib } from '../support/memory.ts'

test('1,000 commands at once wait their turn, and each gets its own answer', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const answers = await Promise.all(Array.from({ length: 1_000 }, (_, index) => sandbox.exec(['echo', String(index)])))
  expect(answers.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 1_000 }, (_, index) => `${index}\n`))
})

test('1,000 commands at once in a guest that breaks meanwhile: each has its answer, or fails typed', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const guest = pool.guestOf(sandbox)
  let answered = 0
  const calls = Array.from({ length: 1_000 }, (_, index) =>
    sandbox.exec(['echo', String(index)]).then(
      ({ stdout }) => {
        if (++answered === 200) guest.sendRaw(Buffer.from('no frame, but thirteen bytes'))
        return stdout === `${index}\n`
      },
      (error: unknown) => error,
    ),
  )
  for (const outcome of await Promise.all(calls))
    if (outcome !== true) expect(outcome).toMatchObject({ code: 'SANDBOX_GONE', reason: 'crash', cause: { code: 'PROTOCOL' } })
  expect(answered).toBeGreaterThanOrEqual(200)
  expect(answered).toBeLessThan(1_000)
})

test('10,000 commands one after another leave nothing: no process, no stream, no memory', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const run = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) await sandbox.exec(['true'])
  }
  await run(1_000)
  const before = { heap: heapBytes(), buffers: heldBytes() }
  await run(9_000)
  expect(pool.guestOf(sandbox).processesStarted).toBe(10_000)
  expect(await sandbox.processes.list()).toEqual([])
  expect(heapBytes() - before.heap).toBeLessThanOrEqual(2 * mib)
  expect(heldBytes() - before.buffers).toBeLessThanOrEqual(mib)
  // As many places as ever.
  expect(await Promise.all(Array.from({ length: 100 }, () => sandbox.exec(['true'])))).toHaveLength(100)
}, 60_000)

test('destroy ten times with fifty commands under way: one end, fifty answers', async () => {
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox()
  const ends: unknown[] = []
  sandbox.on('destroyed', (reason) => void ends.push(reason))
  const running = Array.from({ length: 50 }, () => sandbox.exec('sleep infinity').catch((error) => error))
  await expect.poll(() => pool.guestOf(sandbox).processesStarted).toBe(50)
  await Promise.all([...Array.from({ length: 10 }, () => sandbox.destroy()), sandbox[Symbol.asyncDispose]()])
  for (const answer of await Promise.all(running)) expect(answer).toMatchObject({ code: 'SANDBOX_GONE', reason: 'requested' })
  expect(ends).toEqual(['requested'])
  expect(pool.guests).toEqual([])
})
