/** What a create does when there is nothing for it: who waits is served, nobody is lost, nothing is exceeded. */

import { setMaxListeners } from 'node:events'
import { expect, test } from 'vitest'
import { PoolExhaustedError, type Sandbox } from '../../src/index.ts'
import { createFakePool, type FakePool } from '../../src/testing/index.ts'
import { patiently } from './patiently.ts'

/** Sandboxes and everything that may become one, at the moment when another guest starts. */
function watchBudget(pool: () => FakePool): { highest: number; onGuestStart: () => void } {
  const watch = {
    highest: 0,
    onGuestStart: () => {
      const { warm, booting, assigned, waiting } = pool().stats()
      expect(waiting).toBeGreaterThanOrEqual(0)
      watch.highest = Math.max(watch.highest, warm + booting + assigned)
    },
  }
  return watch
}

test('100 creates at once against 4 warm and a budget of 8: all are served, each once, in order, without a stampede', async () => {
  const watch = watchBudget(() => pool)
  const pool: FakePool = createFakePool({
    templates: { base: { warm: 4 } },
    budget: { sandboxes: 8 },
    onGuestStart: () => watch.onGuestStart(),
  })
  await using _ = pool
  await pool.ready()
  const order: number[] = []
  const ids = new Set<string>()
  await Promise.all(
    Array.from({ length: 100 }, async (_, number) => {
      const sandbox = await pool.createSandbox({ tenant: 'one' })
      order.push(number)
      ids.add(sandbox.id)
      expect((await sandbox.exec('echo served')).stdout).toBe('served\n')
      await sandbox.destroy()
    }),
  )
  expect(order).toHaveLength(100)
  expect(ids.size).toBe(100)
  // The four from stock are woken side by side; whoever stood in line came in order.
  expect(order.slice(4)).toEqual(Array.from({ length: 96 }, (_, index) => index + 4))
  expect(watch.highest).toBeLessThanOrEqual(8)
  // 96 that were made for who waited, the stock before and after, and what is parked.
  expect(pool.guestsStarted).toBeLessThanOrEqual(100 + 8 + 4)
  await pool.ready()
  expect(pool.stats()).toMatchObject({ assigned: 0, waiting: 0, warm: 4, hits: 4, misses: 96, bootFailures: 0, byTenant: {} })
})

test('two tenants of weights 1 and 3 who both want everything get it one to three', async () => {
  await using pool = createFakePool({ budget: { sandboxes: 1 }, tenants: { small: {}, large: { weight: 3 } } })
  const first = await pool.createSandbox({ tenant: 'other' })
  const served: string[] = []
  const create = async (tenant: string): Promise<void> => {
    const sandbox = await pool.createSandbox({ tenant })
    served.push(tenant)
    await sandbox.destroy()
  }
  const all = Array.from({ length: 24 }, (_, number) => create(number < 12 ? 'small' : 'large'))
  await patiently(() => pool.stats().waiting).toBe(24)
  expect(pool.stats().byTenant).toMatchObject({ small: { waiting: 12 }, large: { waiting: 12 } })
  await first.destroy()
  await Promise.all(all)
  expect(served.slice(0, 16).filter((tenant) => tenant === 'large')).toHaveLength(12)
  expect(served.slice(16)).toEqual(Array(8).fill('small'))
})

test('a flood by one tenant does not hold another up', async () => {
  await using pool = createFakePool({ budget: { sandboxes: 2 } })
  const served: (string | undefined)[] = []
  const create = async (tenant?: string): Promise<void> => {
    const sandbox = await pool.createSandbox(tenant === undefined ? {} : { tenant })
    served.push(tenant)
    await sandbox.destroy()
  }
  const flood = Array.from({ length: 50 }, () => create('flood'))
  await patiently(() => served.length).toBeGreaterThan(4)
  const before = served.length
  await Promise.all([create('late'), create()])
  expect(served.indexOf('late') - before).toBeLessThan(6)
  expect(served.indexOf(undefined) - before).toBeLessThan(6)
  await Promise.all(flood)
})

test("with 'boot', a create waits for room and is told of nothing but its sandbox", async () => {
  await using pool = createFakePool({ budget: { sandboxes: 1 } })
  const waitings: number[] = []
  pool.on('exhausted', ({ waiting }) => void waitings.push(waiting))
  const first = await pool.createSandbox()
  const second = pool.createSandbox()
  await patiently(() => waitings).toEqual([1])
  const third = pool.createSandbox({ signal: AbortSignal.timeout(20) })
  await expect(third).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(waitings).toEqual([1, 2])
  expect(pool.stats()).toMatchObject({ waiting: 1, booting: 0 })
  await first.destroy()
  expect((await second).state).toBe('running')
})

test("with 'wait', creates wait for stock; one at a time is made where there is no target", async () => {
  await using pool = createFakePool({ onExhausted: 'wait', templates: { none: {}, kept: { warm: 2 } } })
  let most = 0
  const look = (): void => {
    most = Math.max(most, pool.stats().byTemplate.none?.booting ?? 0)
  }
  const sandboxes = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const sandbox = await pool.createSandbox({ template: 'none' })
      look()
      return sandbox
    }),
  )
  expect(new Set(sandboxes.map(({ id }) => id)).size).toBe(5)
  expect(most).toBeLessThanOrEqual(1)
  const kept = await Promise.all(Array.from({ length: 5 }, () => pool.createSandbox({ template: 'kept' })))
  expect(kept).toHaveLength(5)
})

test("with 'fail', a create that finds nothing warm fails at once, and what keeps no stock is made while there is room", async () => {
  await using pool = createFakePool({
    onExhausted: 'fail',
    budget: { sandboxes: 3 },
    templates: { kept: { warm: 1 }, none: {} },
    makingsAtOnceMax: 1,
  })
  await pool.ready()
  await pool.createSandbox({ template: 'kept' })
  const refusal = await pool.createSandbox({ template: 'kept' }).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(PoolExhaustedError)
  expect(refusal).toMatchObject({ message: expect.stringContaining("nothing of 'kept' is warm"), stats: { assigned: 1 } })
  const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => pool.createSandbox({ template: 'none' })))
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected'])
})

test('a deadline in line says what was waited for, and leaves nothing', async () => {
  await using pool = createFakePool({ budget: { sandboxes: 1 }, acquireTimeoutMs: 500 })
  const first = await pool.createSandbox({ tenant: 'a' })
  const refusal = await pool.createSandbox({ tenant: 'b' }).catch((error: unknown) => error)
  expect(refusal).toMatchObject({
    code: 'POOL_EXHAUSTED',
    retryable: true,
    message: expect.stringContaining('after 500 ms in line, all 1 sandboxes of the budget are in use'),
    stats: { assigned: 1, waiting: 1, byTenant: { b: { rejected: 1 } } },
  })
  expect(pool.stats()).toMatchObject({ waiting: 0 })
  await first.destroy()
  expect((await pool.createSandbox()).state).toBe('running')
})

test('a template that is larger than the budget is refused, whatever onExhausted says', async () => {
  await using pool = createFakePool({ budget: { memoryMib: 300 } })
  await expect(pool.createSandbox()).rejects.toMatchObject({
    code: 'POOL_EXHAUSTED',
    message: expect.stringContaining('one takes 320 MiB, and the whole budget is 300'),
  })
  expect(pool.guestsStarted).toBe(0)
})

test('a thousand who give up leave nothing, and hold nobody up', async () => {
  await using pool = createFakePool({ budget: { sandboxes: 1 } })
  const first = await pool.createSandbox()
  const abort = new AbortController()
  setMaxListeners(0, abort.signal)
  const fickle = Array.from({ length: 1_000 }, (_, number) =>
    pool.createSandbox({ tenant: `t${number % 7}`, signal: abort.signal }).catch((error: unknown) => error),
  )
  const steady = pool.createSandbox({ tenant: 'steady' })
  await patiently(() => pool.stats().waiting).toBe(1_001)
  abort.abort('enough')
  expect(new Set(await Promise.all(fickle))).toEqual(new Set(['enough']))
  expect(pool.stats()).toMatchObject({ waiting: 1, byTenant: { steady: { waiting: 1 } } })
  await first.destroy()
  const sandbox: Sandbox = await steady
  expect(sandbox.tenant).toBe('steady')
  expect(pool.guestsStarted).toBe(2)
})

test('the caps of a tenant refuse it, and nobody else', async () => {
  await using pool = createFakePool({
    tenants: { default: { sandboxes: 2 }, fast: { createsPerMinute: 3 } },
    templates: { base: { warm: 1 } },
  })
  const [a] = await Promise.all([pool.createSandbox({ tenant: 'a' }), pool.createSandbox({ tenant: 'a' })])
  const refusal = await pool.createSandbox({ tenant: 'a' }).catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: 'TENANT_LIMIT', retryable: true, hint: 'Try again when one of them has ended.' })
  await pool.createSandbox({ tenant: 'b' })
  for (let create = 0; create < 3; create++) await (await pool.createSandbox({ tenant: 'fast' })).destroy()
  await expect(pool.createSandbox({ tenant: 'fast' })).rejects.toThrow(/Try again in \d+ s\./)
  expect(pool.stats().byTenant).toMatchObject({ a: { assigned: 2, rejected: 1 }, fast: { assigned: 0, rejected: 1 } })
  await a?.destroy()
  expect((await pool.createSandbox({ tenant: 'a' })).state).toBe('running')
})

test('creates under way count towards the cap of a tenant', async () => {
  await using pool = createFakePool({ tenants: { default: { sandboxes: 2 } } })
  const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => pool.createSandbox({ tenant: 'a' })))
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
})
