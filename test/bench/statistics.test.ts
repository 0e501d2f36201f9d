import { expect, test } from 'vitest'
import { quantile, ratio, rotate, significant, summarize, tail } from '../../bench/statistics.mjs'

const hundred = Array.from({ length: 100 }, (_, i) => i + 1).reverse()

test('a quantile is a value that was measured, by the nearest rank', () => {
  expect(quantile(hundred, 0.5)).toBe(50)
  expect(quantile(hundred, 0.95)).toBe(95)
  expect(quantile([7], 0.99)).toBe(7)
  expect(quantile([], 0.5)).toBeUndefined()
})

test('the p95 of a rate is on its slow side', () => {
  expect(summarize(hundred, 'lower')).toEqual({ count: 100, best: 1, p50: 50, p95: 95, p99: 99, worst: 100 })
  expect(summarize(hundred, 'higher')).toEqual({ count: 100, best: 100, p50: 51, p95: 6, p99: 2, worst: 1 })
})

test('sorting leaves the samples as they were taken', () => {
  const samples = [3, 1, 2]
  summarize(samples)
  expect(samples).toEqual([3, 1, 2])
})

test('a ratio is of medians, and there is none without samples on both sides', () => {
  expect(ratio(summarize([1, 2, 9]), summarize([4]))).toBe(0.5)
  expect(ratio(summarize([1]), summarize([]))).toBeUndefined()
  expect(ratio(summarize([1]), undefined)).toBeUndefined()
  expect(tail(summarize(hundred))).toBe(99 / 50)
  expect(tail(summarize([]))).toBeUndefined()
})

test('over as many rounds as there are turns, everybody is first once', () => {
  const rounds = [0, 1, 2].map((round) => rotate(['a', 'b', 'c'], round).join(''))
  expect(rounds).toEqual(['abc', 'bca', 'cab'])
  expect(rotate(['a', 'b', 'c'], 3).join('')).toBe('abc')
  expect(rotate([], 5)).toEqual([])
})

test('numbers are shown with three digits', () => {
  expect([0.012345, 1.2345, 12.345, 123.45, 12345, 0, undefined].map(significant)).toEqual([
    '0.0123',
    '1.23',
    '12.3',
    '123',
    '12345',
    '0',
    '–',
  ])
})
