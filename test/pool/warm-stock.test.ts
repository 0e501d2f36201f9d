/** Stock is kept, taken, refilled, resized; what is given out has never served. */

import { expect, test } from 'vitest'
import { createFakePool, type FakePool } from '../../src/testing/index.ts'
import { patiently } from './patiently.ts'

const warm = (pool: FakePool, name = 'base'): number | undefined => pool.stats().byTemplate[name]?.warm

test('a pool fills its stock by itself, and a create takes from it', async () => {
  await using pool = createFakePool({ templates: { base: { warm: 2 } } })
  const heard: unknown[] = []
  pool.on('warm', ({ template, ms }) => void heard.push(['warm', template, ms > 0]))
  pool.on('hit', ({ id, origin }) => void heard.push(['hit', id, origin]))
  pool.on('miss', () => void heard.push('miss'))
  await pool.ready()
  expect(pool.stats()).toMatchObject({ warm: 2, assigned: 0, hits: 0 })
  for (const guest of pool.guests.slice(0, 2)) expect(guest).toMatchObject({ paused: true, processesStarted: 3 })
  const sandbox = await pool.createSandbox({ tenant: 'a', files: { 'a.txt': 'hello' }, env: { A: '1' } })
  expect(sandbox.info().origin).toBe('warm')
  expect(pool.guestOf(sandbox).paused).toBe(false)
  expect((await sandbox.exec('cat a.txt; echo $A')).stdout).toBe('hello1\n')
  expect(heard).toEqual([
    ['warm', 'base', true],
    ['warm', 'base', true],
    ['hit', sandbox.id, 'warm'],
  ])
  await pool.ready()
  expect(pool.stats()).toMatchObject({ warm: 2, hits: 1, misses: 0, createMs: { count: 1 }, firstExecMs: { count: 1 } })
})

test('processes are parked where stock is kept, and become the next warm ones', async () => {
  await using pool = createFakePool({ templates: { base: { warm: 1 } } })
  await patiently(() => pool.stats()).toMatchObject({ warm: 1, parked: 2 })
  const parked = pool.guests.filter((guest) => guest.identity === undefined)
  expect(parked).toHaveLength(2)
  await pool.createSandbox()
  await patiently(() => pool.stats()).toMatchObject({ warm: 1, parked: 2, assigned: 1 })
  expect(parked.map(({ identity }) => identity !== undefined)).toEqual([true, false])
})

test('without a target nothing is kept', async () => {
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox()
  await sandbox.destroy()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(pool.guests).toEqual([])
  expect(pool.stats()).toMatchObject({ warm: 0, parked: 0, booting: 0 })
})

test('what belongs to a tenant comes after the take: stock knows nothing of any', async () => {
  await using pool = createFakePool({
    templates: { base: { warm: 1, env: { T: 'template' } } },
    defaults: { files: { x: 'pool' } },
  })
  await pool.ready()
  const [guest] = pool.guests
  expect(guest?.files.size).toBe(0)
  await using a = await pool.createSandbox({ tenant: 'a', env: { SECRET: 'a' } })
  expect(pool.guestOf(a)).toBe(guest)
  expect((await a.exec('env')).stdout).toBe('T=template\nSECRET=a\n')
  await using b = await pool.createSandbox({ tenant: 'b' })
  expect((await b.exec('env')).stdout).toBe('T=template\n')
})

test('resize shrinks before it resolves and grows after it', async () => {
  await using pool = createFakePool({ templates: { base: { warm: 4 } } })
  await pool.ready()
  await pool.resize('base', 1)
  expect(warm(pool)).toBe(1)
  await pool.resize('base', 0)
  expect(pool.guests).toEqual([])
  await pool.resize('base', { min: 3, max: 5 })
  await pool.ready()
  expect(warm(pool)).toBe(3)
  await pool.ready({ template: 'base', count: 5 })
  expect(warm(pool)).toBe(5)
})

test('a target within bounds follows demand', async () => {
  await using pool = createFakePool({ templates: { base: { warm: { min: 0, max: 6 } } } })
  await pool.ready()
  expect(warm(pool)).toBe(0)
  const sandboxes = await Promise.all(Array.from({ length: 4 }, () => pool.createSandbox()))
  // Where a second ends between them, the peak is of the larger half.
  await patiently(() => warm(pool)).toBeGreaterThanOrEqual(2)
  await Promise.all(sandboxes.map((sandbox) => sandbox.destroy()))
  await Promise.all(Array.from({ length: 12 }, () => pool.createSandbox()))
  await patiently(() => warm(pool)).toBe(6)
})

test('ready waits for what it is asked for, and says when that cannot be', async () => {
  await using pool = createFakePool({
    templates: { base: { warm: 1 }, other: {}, big: { warm: 5 } },
    budget: { sandboxes: 4 },
  })
  await pool.ready({ template: 'base', count: 1 })
  await pool.ready({ template: 'other' })
  await expect(pool.ready({ template: 'base', count: 2 })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: "ready: 2 of 'base' are never warm at once: its target is 1. Raise it first: resize('base', 2).",
  })
  await expect(pool.ready({ template: 'big', count: 5 })).rejects.toThrow('the budget holds 4. Raise the budget.')
  await expect(pool.ready({ template: 'nope' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(pool.ready({ count: -1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(pool.resize('base', { min: 2, max: 1 })).rejects.toThrow('min is more than max')
  await expect(pool.resize('nope', 1)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('ready ends with its time, its signal, the pool, or the build', async () => {
  await using pool = createFakePool({ templates: { base: { warm: 1 } }, onTemplateStart: (guest) => guest.hang() })
  await expect(pool.ready({ timeoutMs: 20 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  await expect(pool.ready({ signal: AbortSignal.timeout(20) })).rejects.toMatchObject({ name: 'TimeoutError' })
  const closing = pool.ready()
  const ended = expect(closing).rejects.toMatchObject({ code: 'POOL_CLOSED' })
  await pool.close()
  await ended
  await using broken = createFakePool({ templates: { base: { warm: 1 } }, onTemplateStart: (guest) => guest.crash() })
  await expect(broken.ready()).rejects.toMatchObject({ code: 'BOOT_FAILED' })
  expect(broken.stats().failures.build).toBeGreaterThanOrEqual(1)
})

test('the stock of other templates gives way to a create that needs room, and comes back when there is some', async () => {
  await using pool = createFakePool({
    templates: { a: { warm: 2 }, b: { warm: 2 }, c: {} },
    budget: { sandboxes: 4 },
  })
  await pool.ready()
  await (await pool.createSandbox({ template: 'b' })).destroy()
  await pool.ready()
  const c = await pool.createSandbox({ template: 'c' })
  expect([warm(pool, 'a'), warm(pool, 'b')]).toEqual([1, 2])
  await c.destroy()
  await pool.ready()
  expect([warm(pool, 'a'), warm(pool, 'b')]).toEqual([2, 2])
})
