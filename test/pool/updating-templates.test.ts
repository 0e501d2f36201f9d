/** A template is replaced without a create that fails, and without anything old being given out afterwards. */

import { expect, test } from 'vitest'
import { createFakePool, type FakeGuest } from '../../src/testing/index.ts'
import { patiently } from './patiently.ts'

test('an update under continuous load fails no create, and afterwards nothing old is given out', async () => {
  await using pool = createFakePool({
    templates: { base: { warm: 4, env: { V: '1' } } },
    budget: { sandboxes: 8 },
  })
  await pool.ready()
  let stop = false
  let served = 0
  const load = Array.from({ length: 4 }, async () => {
    while (!stop) {
      const sandbox = await pool.createSandbox()
      expect((await sandbox.exec('echo $V')).stdout).toMatch(/^[12]\n$/)
      await sandbox.destroy()
      served++
    }
  })
  await patiently(() => served).toBeGreaterThan(10)
  const info = await pool.updateTemplate('base', { warm: 4, env: { V: '2' }, resources: { memoryMib: 128 } })
  expect(info).toMatchObject({ name: 'base', digest: expect.stringMatching(/^[0-9a-f]{64}$/) })
  expect(info.sizeBytes).toBeGreaterThan(0)
  const sandbox = await pool.createSandbox()
  expect((await sandbox.exec('echo $V')).stdout).toBe('2\n')
  await sandbox.destroy()
  const before = served
  await patiently(() => served).toBeGreaterThan(before + 10)
  stop = true
  await Promise.all(load)
  await pool.ready()
  expect(pool.stats()).toMatchObject({ warm: 4, bootFailures: 0, failures: {} })
})

test('warm ones of the old template serve until new ones have taken their place, in a budget that is full too', async () => {
  const building: FakeGuest[] = []
  await using pool = createFakePool({
    templates: { base: { warm: 3, env: { V: '1' } } },
    budget: { sandboxes: 3 },
    onTemplateStart: (guest) => {
      if (building.push(guest) > 1) guest.hang()
    },
  })
  await pool.ready()
  const old = pool.guests.filter(({ paused }) => paused)
  const updating = pool.updateTemplate('base', { warm: 3, env: { V: '2' }, setup: ['echo'] })
  await patiently(() => building.length).toBe(2)
  const during = await pool.createSandbox()
  expect([during.info().origin, (await during.exec('echo $V')).stdout]).toEqual(['warm', '1\n'])
  await during.destroy()
  building[1]?.resume()
  await updating
  expect(old.filter(({ alive }) => alive)).toEqual([])
  await pool.ready()
  const after = await pool.createSandbox()
  expect([after.info().origin, (await after.exec('echo $V')).stdout]).toEqual(['warm', '2\n'])
})

test('an update that cannot be built leaves everything as it was', async () => {
  let builds = 0
  await using pool = createFakePool({
    templates: { base: { warm: 1, env: { V: '1' } } },
    onTemplateStart: (guest) => (++builds > 1 ? guest.crash() : undefined),
  })
  await pool.ready()
  const guests = new Set(pool.guests)
  await expect(pool.updateTemplate('base', { env: { V: '2' } })).rejects.toMatchObject({ code: 'BOOT_FAILED' })
  await expect(pool.updateTemplate('base', { resources: { memoryMib: 1 } })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  const sandbox = await pool.createSandbox()
  expect(guests.has(pool.guestOf(sandbox))).toBe(true)
  expect((await sandbox.exec('echo $V')).stdout).toBe('1\n')
})

test('a name that is new adds a template', async () => {
  await using pool = createFakePool()
  await expect(pool.createSandbox({ template: 'new' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  const steps: string[] = []
  await pool.updateTemplate('new', { warm: 1 }, { onEvent: (event) => void steps.push(event.type) })
  expect(steps).toEqual(['step', 'step'])
  await pool.ready({ template: 'new' })
  expect((await pool.createSandbox({ template: 'new' })).info()).toMatchObject({ template: 'new', origin: 'warm' })
})

test('updates of one name run one after the other, and the last one stays', async () => {
  await using pool = createFakePool({ templates: { base: { warm: 2 } } })
  const versions = [1, 2, 3, 4]
  await Promise.all(versions.map((v) => pool.updateTemplate('base', { warm: 2, env: { V: String(v) }, setup: [`${v}`] })))
  expect((await (await pool.createSandbox()).exec('echo $V')).stdout).toBe('4\n')
})

test('an update that is given up while it builds leaves everything as it was; the next one works', async () => {
  let builds = 0
  await using pool = createFakePool({
    templates: { base: { env: { V: '1' } } },
    onTemplateStart: (guest) => (++builds === 1 ? guest.hang() : undefined),
  })
  await expect(pool.updateTemplate('base', { env: { V: '2' } }, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  const reason = new Error('enough')
  await expect(pool.updateTemplate('base', {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  expect((await (await pool.createSandbox()).exec('echo $V')).stdout).toBe('1\n')
  await pool.updateTemplate('base', { env: { V: '3' } })
  expect((await (await pool.createSandbox()).exec('echo $V')).stdout).toBe('3\n')
})

test('who waits while sharing changes is served, by what there was or by what there is', async () => {
  await using pool = createFakePool({ templates: { base: { warm: 1 } }, budget: { sandboxes: 1 } })
  const first = await pool.createSandbox()
  const waiting = pool.createSandbox({ tenant: 'a' })
  await patiently(() => pool.stats().waiting).toBe(1)
  const updating = pool.updateTemplate('base', { sharing: 'none' })
  await first.destroy()
  const served = await waiting
  expect(served.info().origin).toBe('clone')
  await served.destroy()
  expect(await updating).toMatchObject({ digest: '' })
  expect((await pool.createSandbox()).info().origin).toBe('boot')
})

test("with sharing 'tenant' each tenant has a snapshot of its own, and nothing is kept", async () => {
  const templates: FakeGuest[] = []
  await using pool = createFakePool({
    templates: { own: { sharing: 'tenant' } },
    onTemplateStart: (guest) => void templates.push(guest),
  })
  for (const tenant of ['a', 'a', 'b', undefined]) {
    const sandbox = await pool.createSandbox({ template: 'own', ...(tenant !== undefined && { tenant }) })
    expect(sandbox.info().origin).toBe('clone')
  }
  expect(templates).toHaveLength(3)
  expect(pool.stats()).toMatchObject({ warm: 0, parked: 0, assigned: 4, byTemplate: { own: { assigned: 4 } } })
  await expect(pool.resize('own', 1)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining("sharing is 'tenant'"),
  })
})

test("with sharing 'none' every sandbox boots by itself", async () => {
  await using pool = createFakePool({ templates: { alone: { sharing: 'none' } } })
  const sandboxes = await Promise.all([1, 2].map(() => pool.createSandbox({ template: 'alone' })))
  for (const sandbox of sandboxes) {
    expect(sandbox.info().origin).toBe('boot')
    expect(pool.guestOf(sandbox).identity?.generationId).toBe(0n)
  }
})
