import { expect, test } from 'vitest'
import { PoolExhaustedError, type SandboxInfo, type WarmcellError } from '../../src/index.ts'
import { Budget } from '../../src/pool/budget.ts'
import { Sample } from '../../src/pool/stats.ts'
import { createFakePool } from '../../src/testing/index.ts'
import { patiently } from './patiently.ts'

test("with onExhausted 'fail', a budget that is used up refuses with its stats, before anything is started", async () => {
  await using pool = createFakePool({ budget: { sandboxes: 2 }, onExhausted: 'fail' })
  const waitings: number[] = []
  pool.on('exhausted', ({ waiting }) => void waitings.push(waiting))
  const first = await pool.createSandbox({ tenant: 'a' })
  await pool.createSandbox({ tenant: 'a' })
  const refusal = await pool.createSandbox({ tenant: 'b' }).catch((error) => error)
  expect(refusal).toBeInstanceOf(PoolExhaustedError)
  expect(refusal).toMatchObject({
    code: 'POOL_EXHAUSTED',
    retryable: true,
    stats: { assigned: 2, byTenant: { b: { rejected: 1 } } },
  })
  expect(refusal.message).toContain('all 2 sandboxes of the budget are in use')
  expect(waitings).toEqual([0])
  expect(pool.guestsStarted).toBe(2)
  await first.destroy()
  expect((await pool.createSandbox({ tenant: 'b' })).state).toBe('running')
})

test('memory is counted with what the hypervisor takes, and given back however a sandbox ends', async () => {
  await using pool = createFakePool({ budget: { memoryMib: 256 + 64 }, onExhausted: 'fail' })
  for (const end of ['destroy', 'crash', 'timeout'] as const) {
    const sandbox = await pool.createSandbox(end === 'timeout' ? { timeoutMs: 20 } : {})
    await expect(pool.createSandbox()).rejects.toThrow('320 of 320 MiB of the budget are in use and this one may take 320')
    const gone = new Promise((resolve) => sandbox.once('destroyed', resolve))
    if (end === 'destroy') await sandbox.destroy()
    if (end === 'crash') pool.guestOf(sandbox).crash()
    await gone
  }
})

test('a making that fails gives its room back, is counted and told, and the create hears of the second one in a row', async () => {
  let failing = true
  await using pool = createFakePool({ budget: { sandboxes: 1 }, onGuestStart: (guest) => (failing ? guest.crash() : undefined) })
  const failures: WarmcellError[] = []
  pool.on('bootFailed', (error) => void failures.push(error))
  const failure = await pool.createSandbox().catch((error) => error)
  expect(failure).toMatchObject({ code: 'BOOT_FAILED' })
  expect(failures).toEqual([expect.objectContaining({ code: 'BOOT_FAILED' }), failure])
  const nothing = { booting: 0, waiting: 0, assigned: 0, misses: 0 }
  expect(pool.stats()).toMatchObject({ ...nothing, bootFailures: 2, failures: { clone: 2 } })
  failing = false
  expect((await pool.createSandbox()).state).toBe('running')
})

test('a room is given back once, also one that was on its way out', () => {
  const budget = new Budget({ memoryMib: 100, sandboxes: 2 })
  const cost = { memoryMib: 60, sandboxes: 1 }
  const first = budget.take(cost)
  expect(budget.shortage(cost)).toContain('60 of 100 MiB')
  first.leaves()
  expect([budget.fits(cost), budget.willFit(cost)]).toEqual([false, true])
  first.release()
  first.release()
  first.leaves()
  expect(budget.used).toEqual({ memoryMib: 0, sandboxes: 0 })
  budget.take({ memoryMib: 100, sandboxes: 1 })
  expect(budget.willFit({ memoryMib: 1, sandboxes: 1 })).toBe(false)
})

test('stats count by template and tenant, and forget tenants that are gone', async () => {
  await using pool = createFakePool({ templates: { other: {} } })
  const misses: SandboxInfo[] = []
  const destroyed: [string, string][] = []
  pool.on('miss', (info) => void misses.push(info)).on('destroyed', (info, reason) => void destroyed.push([info.id, reason]))
  const a = await pool.createSandbox({ tenant: 'a' })
  const b = await pool.createSandbox({ tenant: 'b', template: 'other' })
  const nobodys = await pool.createSandbox()
  expect(pool.stats()).toMatchObject({
    warm: 0,
    hits: 0,
    misses: 3,
    assigned: 3,
    createMs: { count: 3 },
    byTemplate: { base: { assigned: 2 }, other: { assigned: 1 } },
    byTenant: { a: { assigned: 1, waiting: 0, rejected: 0 }, b: { assigned: 1 } },
  })
  expect(misses.map(({ id }) => id)).toEqual([a.id, b.id, nobodys.id])
  await Promise.all([a.destroy(), b.destroy(), nobodys.destroy()])
  expect(pool.stats()).toMatchObject({ assigned: 0, byTenant: {} })
  expect(new Map(destroyed)).toEqual(new Map([a, b, nobodys].map(({ id }) => [id, 'requested'])))
})

test('a tenant named like a property of every object is a tenant', async () => {
  await using pool = createFakePool()
  await pool.createSandbox({ tenant: '__proto__' })
  await pool.createSandbox({ tenant: 'constructor' })
  expect(Object.keys(pool.stats().byTenant).sort()).toEqual(['__proto__', 'constructor'])
})

test('a listener that throws surfaces, and keeps no other listener and no release from running', async () => {
  await using pool = createFakePool({ budget: { sandboxes: 1 } })
  const surfaced: unknown[] = []
  const handlers = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => void surfaced.push(error))
  try {
    const bug = new Error('a bug of the caller')
    const heard: string[] = []
    const throwing = (): void => {
      throw bug
    }
    pool.on('miss', throwing).on('miss', () => void heard.push('miss'))
    const sandbox = await pool.createSandbox()
    sandbox.on('destroyed', throwing).on('destroyed', (reason) => void heard.push(reason))
    pool.on('destroyed', throwing).on('destroyed', (_, reason) => void heard.push(`pool: ${reason}`))
    await sandbox.destroy()
    pool.off('miss', throwing)
    await (await pool.createSandbox()).destroy()
    expect(heard).toEqual(['miss', 'pool: requested', 'requested', 'miss', 'pool: requested'])
    await patiently(() => surfaced).toEqual([bug, bug, bug, bug])
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const handler of handlers) process.on('uncaughtException', handler)
  }
})

test('quantiles are of the last 1,024 samples, by nearest rank', () => {
  const sample = new Sample()
  expect(sample.quantiles()).toEqual({ count: 0, p50: 0, p95: 0, p99: 0 })
  for (let value = 1; value <= 100; value++) sample.add(value)
  expect(sample.quantiles()).toEqual({ count: 100, p50: 50, p95: 95, p99: 99 })
  for (let turn = 0; turn < 1_024; turn++) sample.add(7)
  expect(sample.quantiles()).toEqual({ count: 1_124, p50: 7, p95: 7, p99: 7 })
})
