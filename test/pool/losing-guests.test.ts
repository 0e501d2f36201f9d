/** A guest that is lost at any step is replaced, with the step counted; the create in flight is served or told within two seconds; the stock recovers. */

import { expect, test } from 'vitest'
import type { FailureReason, PoolStats, WarmcellError } from '../../src/index.ts'
import { createFakePool, type FakeGuest, type FakePool, type FakeStep } from '../../src/testing/index.ts'
import { patiently } from './patiently.ts'

/** The promise is two seconds; a machine that is busy gets more before it counts as broken. */
const guardMs = 5_000

async function soon<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not settled within ${guardMs} ms`)), guardMs)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

const failures = (pool: FakePool): PoolStats['failures'] => pool.stats().failures

/** Does it to the first `times` guests that come to the step, and to no others. */
function atStep(step: FakeStep | 'start', times: number, strike: (guest: FakeGuest) => void) {
  let left = times
  const hit = (guest: FakeGuest, at: FakeStep | 'start'): void => {
    if (at === step && left-- > 0) strike(guest)
  }
  return { onGuestStart: (guest: FakeGuest) => hit(guest, 'start'), onGuestStep: hit }
}

/** The same, for guests that have been in stock: a wake of theirs that is not part of their exercise. */
function whenTaken(times: number, strike: (guest: FakeGuest) => void) {
  const woken = new Set<FakeGuest>()
  let left = times
  const onGuestStep = (guest: FakeGuest, at: FakeStep): void => {
    if (at !== 'SetClock') return
    if (woken.has(guest) && left-- > 0) strike(guest)
    woken.add(guest)
  }
  return { onGuestStep }
}

const crash = (guest: FakeGuest): void => guest.crash()

const makingSteps: [FakeStep | 'start', FailureReason][] = [
  ['start', 'clone'],
  ['load', 'clone'],
  ['Hello', 'clone'],
]
test.each(makingSteps)('one that ends at %s is replaced, and who waits for it is served all the same', async (step, reason) => {
  await using pool = createFakePool(atStep(step, 1, crash))
  const told: WarmcellError[] = []
  pool.on('bootFailed', (error) => void told.push(error))
  expect((await soon(pool.createSandbox())).state).toBe('running')
  expect(failures(pool)).toEqual({ [reason]: 1 })
  expect(told).toMatchObject([{ code: 'BOOT_FAILED' }])
})

test.each(makingSteps)(
  'when every one ends at %s, the create is told after the second one, and nothing is left',
  async (step, reason) => {
    await using pool = createFakePool(atStep(step, Number.POSITIVE_INFINITY, crash))
    await expect(soon(pool.createSandbox())).rejects.toMatchObject({ code: 'BOOT_FAILED', retryable: true })
    expect(failures(pool)).toEqual({ [reason]: 2 })
    expect(pool.guests).toEqual([])
  },
)

const stockSteps: [FakeStep | 'start', FailureReason][] = [...makingSteps, ['Start', 'exercise']]
test.each(stockSteps)('stock fills although two end at %s', async (step, reason) => {
  await using pool = createFakePool({ templates: { base: { warm: 3 } }, ...atStep(step, 2, crash) })
  await soon(pool.ready())
  expect(pool.stats()).toMatchObject({ warm: 3, failures: { [reason]: 2 } })
})

test('who comes while stock is being exercised is served by it, or by the next one when it is lost', async () => {
  let hung: FakeGuest | undefined
  await using pool = createFakePool({
    templates: { base: { warm: 1 } },
    ...atStep('Start', 1, (guest) => {
      hung = guest
      guest.hang()
    }),
  })
  await patiently(() => hung).toBeDefined()
  const creating = pool.createSandbox()
  await patiently(() => pool.stats().waiting).toBe(1)
  hung?.crash()
  expect((await soon(creating)).id).not.toBe(hung?.id)
  await soon(pool.ready())
  expect(failures(pool)).toEqual({ exercise: 1 })
})

test('warm and parked ones that end by themselves are noticed, counted and replaced', async () => {
  await using pool = createFakePool({ templates: { base: { warm: 2 } } })
  await patiently(() => pool.stats()).toMatchObject({ warm: 2, parked: 2 })
  for (const guest of pool.guests) guest.crash()
  await patiently(() => failures(pool)).toEqual({ 'warm-ended': 2, 'parked-ended': 2 })
  await patiently(() => pool.stats()).toMatchObject({ warm: 2, parked: 2 })
})

test.each([
  ['ends', crash],
  ['does not answer', (guest: FakeGuest) => guest.hang()],
])('a warm one that %s when it is taken is passed over for the next', async (_, strike) => {
  await using pool = createFakePool({ templates: { base: { warm: 2 } }, ...whenTaken(1, strike) })
  await pool.ready()
  const sandbox = await soon(pool.createSandbox())
  expect(sandbox.info().origin).toBe('warm')
  expect(failures(pool)).toEqual({ wake: 1 })
  await soon(pool.ready())
  expect(pool.stats()).toMatchObject({ warm: 2, assigned: 1 })
})

test('when none of the warm ones answers, one is made', async () => {
  await using pool = createFakePool({ templates: { base: { warm: 2 } }, ...whenTaken(2, crash) })
  await pool.ready()
  expect((await soon(pool.createSandbox())).info().origin).toBe('clone')
  expect(failures(pool)).toEqual({ wake: 2 })
})

test('one that ends while it is given its files is told, and gone', async () => {
  await using pool = createFakePool({ templates: { base: { warm: 1 } }, ...atStep('WriteFile', 1, crash) })
  await pool.ready()
  await expect(soon(pool.createSandbox({ files: { a: 'b' } }))).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' })
  expect(failures(pool)).toEqual({ bind: 1 })
  await soon(pool.ready())
  expect(pool.stats()).toMatchObject({ warm: 1, assigned: 0 })
})

test.each(['start', 'Start'] as const)(
  'after failures at %s the stock is left alone for a while, and creates are not',
  async (step) => {
    let failing = true
    const strike = (guest: FakeGuest, at: FakeStep | 'start'): void => {
      if (failing && at === step) guest.crash()
    }
    await using pool = createFakePool({
      templates: { base: { warm: 1 } },
      onGuestStart: (guest) => strike(guest, 'start'),
      onGuestStep: strike,
    })
    await patiently(() => pool.stats().bootFailures).toBeGreaterThanOrEqual(3)
    const [started, at] = [pool.guestsStarted, performance.now()]
    await new Promise((resolve) => setTimeout(resolve, 50))
    // The third rest and those after it are of 200 ms at least.
    expect(pool.guestsStarted - started).toBeLessThanOrEqual(1 + (performance.now() - at) / 200)
    failing = false
    expect((await soon(pool.createSandbox())).state).toBe('running')
    await soon(pool.ready())
  },
)

test('a template that cannot be built fails everybody who waits for it, and can be built later', async () => {
  let failing = true
  await using pool = createFakePool({
    templates: { broken: {} },
    onTemplateStart: (guest) => {
      if (failing) guest.crash('no such package\n')
    },
  })
  const creates = Array.from({ length: 5 }, (_, n) => pool.createSandbox({ template: 'broken', tenant: `t${n % 2}` }))
  for (const outcome of await Promise.allSettled(creates)) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'BOOT_FAILED' } })
    expect(String((outcome as PromiseRejectedResult).reason)).toContain('no such package')
  }
  expect(failures(pool)).toEqual({ build: 1 })
  expect(pool.stats()).toMatchObject({ waiting: 0, booting: 0 })
  failing = false
  expect((await pool.createSandbox({ template: 'broken' })).state).toBe('running')
})

test.each(['truncated', 'removed'] as const)(
  'a snapshot that was %s is noticed after a failed clone, and built anew; what runs is not touched',
  async (how) => {
    let template: FakeGuest[] = []
    await using pool = createFakePool({
      templates: { base: { warm: 1 } },
      onTemplateStart: (guest) => {
        template = [...template, guest]
      },
    })
    await patiently(() => pool.stats()).toMatchObject({ warm: 1, parked: 2 })
    const running = await pool.createSandbox()
    await patiently(() => pool.stats()).toMatchObject({ warm: 1, parked: 2 })
    pool.damageTemplates(how)
    const sandboxes = await soon(Promise.all([pool.createSandbox(), pool.createSandbox(), pool.createSandbox()]))
    expect(sandboxes.map(({ state }) => state)).toEqual(['running', 'running', 'running'])
    expect(failures(pool).corrupt).toBe(1)
    expect(template).toHaveLength(2)
    expect((await running.exec('echo untouched')).stdout).toBe('untouched\n')
    await soon(pool.ready())
  },
)

test('under load, with guests lost at random, every create is served or told, and in the end the stock is full', async () => {
  await using pool = createFakePool({ templates: { base: { warm: 3 } }, budget: { sandboxes: 6 } })
  let served = 0
  let stop = false
  const killer = (async () => {
    for (let turn = 0; !stop; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 3))
      pool.guests[(turn * 7) % Math.max(1, pool.guests.length)]?.crash()
    }
  })()
  const codes = new Set(['BOOT_FAILED', 'GUEST_UNREACHABLE', 'SANDBOX_GONE'])
  const users = Array.from({ length: 8 }, async (_, user) => {
    for (let turn = 0; turn < 12; turn++) {
      try {
        await using sandbox = await soon(pool.createSandbox({ tenant: `t${user % 3}`, files: { a: 'b' } }))
        await soon(sandbox.exec('cat a'))
        served++
      } catch (error) {
        expect(codes).toContain((error as WarmcellError).code)
      }
    }
  })
  await Promise.all(users)
  stop = true
  await killer
  expect(served).toBeGreaterThan(10)
  await soon(pool.ready())
  expect(pool.stats()).toMatchObject({ assigned: 0, waiting: 0, byTenant: {} })
})

test('an abort at any step of a create leaves nothing, when the call rejects', async () => {
  const steps: (FakeStep | 'start')[] = ['start', 'load', 'Hello', 'SetClock', 'WriteFile']
  for (const kept of [0, 1]) {
    for (const step of steps) {
      const abort = new AbortController()
      let armed = false
      const strike = (guest: FakeGuest, at: FakeStep | 'start'): void => {
        if (!armed || at !== step) return
        armed = false
        guest.hang()
        abort.abort(`at ${step}`)
      }
      await using pool = createFakePool({
        templates: { base: { warm: kept } },
        onGuestStart: (guest) => strike(guest, 'start'),
        onGuestStep: strike,
      })
      await pool.ready({ template: 'base' })
      if (kept > 0) await patiently(() => pool.stats()).toMatchObject({ warm: 1, parked: 2 })
      armed = true
      const stock = new Set(pool.guests)
      const outcome = await soon(pool.createSandbox({ signal: abort.signal, files: { a: 'b' } }).catch((error: unknown) => error))
      if (abort.signal.aborted && outcome === `at ${step}`) {
        expect(pool.stats()).toMatchObject({ waiting: 0, assigned: 0 })
        if (kept === 0) expect(pool.guests).toEqual([])
        else expect(pool.guests.filter((guest) => stock.has(guest) && !guest.paused && guest.identity !== undefined)).toEqual([])
      } else expect(pool.stats()).toMatchObject({ waiting: 0, assigned: 1 })
    }
  }
})
