import { expect, test } from 'vitest'
import { parseOptions, usage } from '../../bench/options.mjs'

const ids = ['T1', 'T2', 'T3']

test('without options every row is taken, on both kernels, in at least twenty rounds', () => {
  const { rowIds, kernels, plan } = parseOptions([], ids)
  expect({ rowIds, kernels }).toEqual({ rowIds: ids, kernels: ['stock', 'minimal'] })
  expect(plan.rounds).toBeGreaterThanOrEqual(20)
})

test('rows are chosen by name, in their own order', () => {
  expect(parseOptions(['--only', 't3, T1'], ids).rowIds).toEqual(['T1', 'T3'])
})

test('the quick run takes fewer rounds, and --rounds has the last word', () => {
  expect(parseOptions(['--quick'], ids).plan.rounds).toBeLessThan(20)
  expect(parseOptions(['--quick', '--rounds', '50'], ids).plan.rounds).toBe(50)
})

test('what is wrong is named', () => {
  expect(() => parseOptions(['--only', 'T9'], ids)).toThrow('--only T9: expected some of T1,T2,T3')
  expect(() => parseOptions(['--rounds', 'many'], ids)).toThrow('--rounds many')
  expect(() => parseOptions(['--kernel', 'own'], ids)).toThrow('expected stock or minimal')
  expect(() => parseOptions(['--fast'], ids)).toThrow('--fast')
})

test('the help names every option', () => {
  for (const option of ['quick', 'rounds', 'only', 'kernel', 'install', 'out', 'json', 'markdown', 'svg']) {
    expect(usage).toContain(`--${option}`)
  }
})
