import { expect, test } from 'vitest'
import { judge } from '../../bench/targets.mjs'
import { series } from '../../bench/turns.mjs'

const verdicts = (id: string, all: unknown[]) =>
  judge(id, all).map(({ subject, over, value, reached }: Record<string, unknown>) => ({ subject, over, value, reached }))

test('a ratio is judged against each contender, for each kind of guest kernel', () => {
  const all = [
    series('warmcell', 'create + exec', [9]),
    series('warmcell, minimal kernel', 'create + exec', [5]),
    series('warmcell', 'created and ready', [1]),
    series('spawn', 'create + true + remove', [4]),
    series('runc', 'create + true + remove', [60]),
  ]
  expect(verdicts('T1', all)).toEqual([
    { subject: 'warmcell', over: 'spawn', value: 2.25, reached: false },
    { subject: 'warmcell, minimal kernel', over: 'spawn', value: 1.25, reached: true },
    ...['bwrap', 'crun'].flatMap((over) =>
      ['warmcell', 'warmcell, minimal kernel'].map((subject) => ({ subject, over, value: null, reached: null })),
    ),
    { subject: 'warmcell', over: 'runc', value: 0.15, reached: false },
    { subject: 'warmcell, minimal kernel', over: 'runc', value: 1 / 12, reached: true },
    { subject: 'warmcell', over: 'podman', value: null, reached: null },
    { subject: 'warmcell, minimal kernel', over: 'podman', value: null, reached: null },
  ])
})

test('a rate is reached from above, a size from below', () => {
  expect(judge('T5', [series('warmcell', 'made', [39, 41, 42], '/s', 'higher')])[0]).toMatchObject({ value: 41, reached: true })
  expect(judge('T6', [series('warmcell', 'fresh', [9], 'MiB')])[0]).toMatchObject({ value: 9, reached: false })
})

test('a tail is judged in units of its own median', () => {
  expect(judge('T11', [series('warmcell', 'idle', [1, 1, 1, 4])])).toMatchObject([{ value: 4, reached: false }])
})

test('a subject whose every turn failed reaches nothing, and misses nothing', () => {
  expect(judge('T5', [series('warmcell', 'made', [], '/s', 'higher', ['it failed'])])[0]).toMatchObject({
    value: null,
    reached: null,
  })
})
