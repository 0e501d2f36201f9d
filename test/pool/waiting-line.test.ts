/** The line is fair across tenants by weight, first come first served within one, and loses nobody. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FairLine } from '../../src/pool/line.ts'

interface Waiter {
  readonly tenant: string
  readonly kind: string
  readonly number: number
}

/** Serves `count` of one kind; how many of them each tenant got. */
function serve(line: FairLine<Waiter>, kind: string, count: number): Record<string, number> {
  const got: Record<string, number> = {}
  for (let turn = 0; turn < count; turn++) {
    const tenant = line.take(kind)?.tenant
    if (tenant !== undefined) got[tenant] = (got[tenant] ?? 0) + 1
  }
  return got
}

const join = (line: FairLine<Waiter>, tenant: string, weight: number, count: number, kind = 'k'): void => {
  for (let number = 0; number < count; number++) line.join(kind, tenant, weight, { tenant, kind, number })
}

const tenants = fc.constantFrom('a', 'b', 'c', 'd')
const kinds = fc.constantFrom('x', 'y')
const action = fc.oneof(
  fc.record({ do: fc.constant('join' as const), tenant: tenants, kind: kinds }),
  fc.record({ do: fc.constant('take' as const), kind: kinds }),
  fc.record({ do: fc.constant('leave' as const), which: fc.nat() }),
)

test('nobody is lost or served twice, and within a tenant and a kind it is first come first served', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const line = new FairLine<Waiter>()
      const standing = new Map<Waiter, () => boolean>()
      let number = 0
      for (const act of actions) {
        if (act.do === 'join') {
          const waiter = { tenant: act.tenant, kind: act.kind, number: number++ }
          standing.set(waiter, line.join(act.kind, act.tenant, act.tenant === 'a' ? 3 : 1, waiter))
        } else if (act.do === 'leave') {
          const [waiter, leave] = [...standing][act.which % Math.max(1, standing.size)] ?? []
          if (waiter === undefined || leave === undefined) continue
          expect([leave(), leave()]).toEqual([true, false])
          standing.delete(waiter)
        } else {
          const before = line.first(act.kind)
          const waiter = line.take(act.kind)
          expect(waiter).toBe(before)
          const rivals = [...standing.keys()].filter(({ kind }) => kind === act.kind)
          expect(waiter === undefined).toBe(rivals.length === 0)
          if (waiter === undefined) continue
          const first = rivals.find(({ tenant }) => tenant === waiter.tenant)
          expect(waiter).toBe(first)
          expect(standing.get(waiter)?.()).toBe(false)
          standing.delete(waiter)
        }
        for (const kind of ['x', 'y'])
          expect(line.waiting(kind)).toBe([...standing.keys()].filter((waiter) => waiter.kind === kind).length)
        expect(new Set(line.kindsInTurn())).toEqual(new Set([...standing.keys()].map(({ kind }) => kind)))
      }
    }),
  )
})

test('while several wait, each tenant is served in proportion to its weight, give or take one', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 6 }), (weights) => {
      const line = new FairLine<Waiter>()
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      const rounds = 10
      for (const [index, weight] of weights.entries()) join(line, `t${index}`, weight, rounds * weight + 1)
      const got = serve(line, 'k', rounds * total)
      for (const [index, weight] of weights.entries())
        expect(Math.abs((got[`t${index}`] ?? 0) - rounds * weight)).toBeLessThanOrEqual(1)
    }),
  )
})

test('a tenant that was away gets no credit for it, and none by leaving and coming back', () => {
  const line = new FairLine<Waiter>()
  join(line, 'busy', 1, 200)
  serve(line, 'k', 100)
  join(line, 'late', 1, 50)
  expect(serve(line, 'k', 40)).toEqual({ busy: 20, late: 20 })

  const other = new FairLine<Waiter>()
  join(other, 'patient', 3, 400)
  let sneaky = 0
  for (let turn = 0; turn < 400; turn++) {
    // One at a time, back as soon as it was served.
    if (turn === 0 || sneaky < Number.POSITIVE_INFINITY) {
      const leave = other.join('k', 'sneaky', 1, { tenant: 'sneaky', kind: 'k', number: turn })
      if (other.take('k')?.tenant === 'sneaky') sneaky++
      else leave()
    }
  }
  expect(sneaky).toBeLessThanOrEqual(101)
})

test('who gives up has lost nothing by it', () => {
  const line = new FairLine<Waiter>()
  join(line, 'steady', 1, 10)
  const leaves = Array.from({ length: 1_000 }, (_, number) =>
    line.join('k', 'fickle', 1, { tenant: 'fickle', kind: 'k', number }),
  )
  for (const leave of leaves) leave()
  join(line, 'fickle', 1, 10)
  expect(serve(line, 'k', 10)).toEqual({ steady: 5, fickle: 5 })
})

test('what one tenant gets of one kind counts for the other kinds too', () => {
  const line = new FairLine<Waiter>()
  join(line, 'a', 1, 10, 'x')
  join(line, 'a', 1, 10, 'y')
  join(line, 'b', 1, 10, 'y')
  serve(line, 'x', 5)
  expect(line.kindsInTurn()).toEqual(['y', 'x'])
  expect(serve(line, 'y', 5)).toEqual({ b: 5 })
})
