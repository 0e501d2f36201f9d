/** The decisions that take no time: targets, rests after failures, caps of tenants, what to do next. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Backoff } from '../../src/pool/backoff.ts'
import { Budget } from '../../src/pool/budget.ts'
import { decide, type ShelfView, type World } from '../../src/pool/plan.ts'
import { WarmTarget } from '../../src/pool/target.ts'
import { RateWindow, Tenants } from '../../src/pool/tenants.ts'

test('after each failure in a row the rest is twice as long, half of it by chance, up to half a minute; a success ends it', () => {
  for (const [random, share] of [
    [0, 0.5],
    [1, 1],
  ] as const) {
    const backoff = new Backoff(() => random)
    for (const ms of [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]) {
      backoff.failed(1_000)
      expect(backoff.until).toBe(1_000 + ms * share)
    }
    backoff.succeeded()
    expect(backoff.until).toBe(0)
    backoff.failed(0)
    expect(backoff.until).toBe(100 * share)
  }
})

test('a target that is a number does not follow anything', () => {
  const target = new WarmTarget({ min: 3, max: 3 })
  for (let take = 0; take < 50; take++) target.took(0)
  expect([target.at(0), target.at(1e6), target.changesAt()]).toEqual([3, 3, undefined])
})

test('a target within bounds grows with demand at once, and shrinks one by one when it has been gone for a minute', () => {
  const target = new WarmTarget({ min: 1, max: 10 })
  expect(target.at(0)).toBe(1)
  for (let take = 0; take < 6; take++) target.took(500)
  expect(target.at(500)).toBe(6)
  for (let now = 1_000; now < 60_000; now += 1_000) expect(target.at(now)).toBe(6)
  expect(target.changesAt()).toBeDefined()
  expect([target.at(63_000), target.at(64_000), target.at(69_000), target.at(74_000)]).toEqual([6, 5, 4, 3])
  expect([target.at(79_000), target.at(84_000), target.at(200_000)]).toEqual([2, 1, 1])
  expect(target.changesAt()).toBeUndefined()
})

test('where making one takes longer than a second, as many more are kept as are taken meanwhile', () => {
  const target = new WarmTarget({ min: 0, max: 100 })
  target.made(4_000)
  for (let take = 0; take < 5; take++) target.took(0)
  expect(target.at(0)).toBe(20)
  target.bounds = { min: 2, max: 8 }
  expect(target.at(0)).toBe(8)
})

test('a target is always within its bounds', () => {
  const bounds = fc.tuple(fc.nat(20), fc.nat(20)).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) }))
  fc.assert(
    fc.property(bounds, fc.array(fc.tuple(fc.nat(5), fc.nat(20_000)), { maxLength: 60 }), (given, steps) => {
      const target = new WarmTarget(given)
      let now = 0
      for (const [takes, ms] of steps) {
        for (let take = 0; take < takes; take++) target.took(now)
        now += ms
        const value = target.at(now)
        expect(value).toBeGreaterThanOrEqual(given.min)
        expect(value).toBeLessThanOrEqual(given.max)
      }
    }),
  )
})

test('a rate admits as many as it says within any minute, whenever they come, and says how long to wait', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.nat(20_000), { maxLength: 80 }), (max, gaps) => {
      const window = new RateWindow(max)
      const admitted: number[] = []
      let now = 0
      for (const gap of gaps) {
        now += gap
        const waitMs = window.admit(now)
        if (waitMs === 0) admitted.push(now)
        const lastMinute = admitted.filter((at) => at > now - 60_000).length
        expect(lastMinute).toBeLessThanOrEqual(max)
        if (waitMs > 0) {
          expect(lastMinute).toBe(max)
          expect(waitMs).toBe((admitted.at(-max) ?? 0) + 60_000 - now)
        }
      }
    }),
  )
})

test('the caps of a tenant are its own, or the default ones, and say when to try again', () => {
  let now = 0
  const tenants = new Tenants({ default: { sandboxes: 1 }, big: { createsPerMinute: 2, weight: 4 } }, () => now)
  expect([tenants.weightOf('big'), tenants.weightOf('other'), tenants.weightOf(undefined)]).toEqual([4, 1, 1])
  const leave = tenants.enter('small')
  expect(() => tenants.enter('small')).toThrow("Tenant 'small' has 1 sandboxes, being created or running, of the 1 it may have.")
  tenants.enter('another')
  tenants.enter(undefined)
  expect(() => tenants.enter(undefined)).toThrow('What belongs to no tenant')
  leave()
  leave()
  tenants.enter('small')
  tenants.enter('big')
  now = 10_500
  tenants.enter('big')
  expect(() => tenants.enter('big')).toThrow('Try again in 50 s.')
  now = 60_000
  tenants.enter('big')
  expect(() => tenants.enter('big')).toThrow('Try again in 11 s.')
})

const cost = { memoryMib: 320, sandboxes: 1 }
const shelf = (key: string, view: Partial<ShelfView> = {}): ShelfView => ({
  key,
  waiting: 0,
  making: 0,
  warm: 0,
  warmOld: 0,
  parked: 0,
  parking: 0,
  target: 0,
  parkedTarget: 0,
  cost,
  built: true,
  building: false,
  wanted: false,
  resting: false,
  takenAt: 0,
  ...view,
})
const world = (shelves: ShelfView[], given: Partial<World> = {}, sandboxes = 8): World => ({
  shelves,
  inTurn: shelves.filter(({ waiting }) => waiting > 0),
  budget: new Budget({ memoryMib: 2 ** 31, sandboxes }),
  slots: 2,
  mode: 'boot',
  ...given,
})
const full = (sandboxes: number): Budget => {
  const budget = new Budget({ memoryMib: 2 ** 31, sandboxes })
  for (let taken = 0; taken < sandboxes; taken++) budget.take(cost)
  return budget
}

test('nothing is made where nobody waits and the stock is full', () => {
  expect(decide(world([shelf('a', { warm: 2, target: 2 }), shelf('b')]))).toEqual({ kind: 'rest' })
})

test('who waits goes before stock, and one in the making is for whoever is next', () => {
  const stock = shelf('stock', { target: 4 })
  expect(decide(world([stock, shelf('a', { waiting: 1 })]))).toEqual({ kind: 'make', key: 'a' })
  expect(decide(world([stock, shelf('a', { waiting: 1, making: 1 })]))).toEqual({ kind: 'make', key: 'stock' })
  expect(decide(world([stock, shelf('a', { waiting: 2, making: 1, resting: true })]))).toEqual({ kind: 'make', key: 'a' })
})

test("with onExhausted 'wait' no more is made for who waits than would be for stock, and never less than one", () => {
  const given = { mode: 'wait' } as const
  expect(decide(world([shelf('a', { waiting: 9 })], given))).toEqual({ kind: 'make', key: 'a' })
  expect(decide(world([shelf('a', { waiting: 9, making: 1 })], given))).toEqual({ kind: 'rest' })
})

test('what has to be built is built once, and holds nobody else up', () => {
  const [unbuilt, other] = [shelf('new', { waiting: 1, built: false }), shelf('other', { waiting: 1 })]
  expect(decide(world([unbuilt, other], { slots: 0 }))).toEqual({ kind: 'build', key: 'new' })
  expect(decide(world([{ ...unbuilt, building: true }, other]))).toEqual({ kind: 'make', key: 'other' })
})

test('who is next and finds no room is waited for: nobody overtakes, and nothing is made for stock', () => {
  const shelves = [shelf('a', { waiting: 1 }), shelf('b', { waiting: 1 }), shelf('c', { target: 1 })]
  expect(decide(world(shelves, { budget: full(2) }))).toEqual({ kind: 'rest' })
})

test('the stock of others gives way to who waits, least recently taken first, no more than is needed', () => {
  const shelves = [
    shelf('a', { waiting: 1 }),
    shelf('fresh', { warm: 2, target: 2, takenAt: 9 }),
    shelf('stale', { warm: 2, target: 2, takenAt: 3 }),
  ]
  const ways = [{ key: 'stale', level: 'warm', count: 1 }]
  expect(decide(world(shelves, { budget: full(4) }))).toEqual({ kind: 'give way', ways })
})

test('nothing gives way where that would not be enough, or enough is on its way out already', () => {
  const needy = shelf('a', { waiting: 1, cost: { memoryMib: 320, sandboxes: 1 } })
  const poor = { ...shelf('b', { warm: 1 }), cost: { memoryMib: 10, sandboxes: 1 } }
  const memory = new Budget({ memoryMib: 320, sandboxes: 9 })
  const room = memory.take({ memoryMib: 100, sandboxes: 1 })
  expect(decide(world([needy, poor], { budget: memory }))).toEqual({ kind: 'rest' })
  room.leaves()
  expect(decide(world([needy, shelf('c', { warm: 1 })], { budget: memory }))).toEqual({ kind: 'rest' })
})

test('parked processes give way first where memory is short, and not at all where sandboxes are', () => {
  const shelves = [shelf('a', { waiting: 1 }), shelf('b', { warm: 1, parked: 2 })]
  const memory = new Budget({ memoryMib: 320 + 32, sandboxes: 9 })
  memory.take({ memoryMib: 64, sandboxes: 0 })
  expect(decide(world(shelves, { budget: memory }))).toEqual({
    kind: 'give way',
    ways: [{ key: 'b', level: 'parked', count: 1 }],
  })
  expect(decide(world(shelves, { budget: full(1) }))).toEqual({ kind: 'give way', ways: [{ key: 'b', level: 'warm', count: 1 }] })
})

test('stock takes room from nobody but the edition whose place it takes', () => {
  const [wanting, rich] = [shelf('a', { target: 1 }), shelf('b', { warm: 2, target: 2 })]
  expect(decide(world([wanting, rich], { budget: full(2) }))).toEqual({ kind: 'rest' })
  expect(decide(world([{ ...wanting, warmOld: 1 }, rich], { budget: full(2) }))).toEqual({
    kind: 'give way',
    ways: [{ key: 'a', level: 'warm', count: 1 }],
  })
})

test('what is parked gives way to stock that has no memory, and is not parked again meanwhile', () => {
  const memory = new Budget({ memoryMib: 640, sandboxes: 9 })
  memory.take({ memoryMib: 320, sandboxes: 1 })
  const parked = memory.take({ memoryMib: 32, sandboxes: 0 })
  const full = shelf('full', { warm: 1, target: 1, parked: 1, parkedTarget: 2 })
  const wanting = shelf('wanting', { target: 1 })
  expect(decide(world([full, wanting], { budget: memory }))).toEqual({
    kind: 'give way',
    ways: [{ key: 'full', level: 'parked', count: 1 }],
  })
  parked.leaves()
  expect(decide(world([{ ...full, parked: 0 }, wanting], { budget: memory }))).toEqual({ kind: 'rest' })
  parked.release()
  expect(decide(world([{ ...full, parked: 0 }, wanting], { budget: memory }))).toEqual({ kind: 'make', key: 'wanting' })
})

test('of its own parked processes the first becomes the machine, and the others give way', () => {
  const memory = new Budget({ memoryMib: 340, sandboxes: 9 })
  memory.take({ memoryMib: 64, sandboxes: 0 })
  expect(decide(world([shelf('a', { waiting: 1, parked: 2 })], { budget: memory }))).toEqual({
    kind: 'give way',
    ways: [{ key: 'a', level: 'parked', count: 1 }],
  })
})

test('processes are parked last of all, where there is stock to refill and it is full', () => {
  const keeper = { target: 1, parkedTarget: 2 }
  expect(decide(world([shelf('a', { ...keeper, warm: 1 })]))).toEqual({ kind: 'park', key: 'a' })
  expect(decide(world([shelf('a', { ...keeper, warm: 1, parked: 1, parking: 1 })]))).toEqual({ kind: 'rest' })
  expect(decide(world([shelf('a', { ...keeper, warm: 1 }), shelf('b', { target: 1 })]))).toEqual({ kind: 'make', key: 'b' })
})
