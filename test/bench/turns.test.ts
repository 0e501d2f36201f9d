import { expect, test } from 'vitest'
import { takeTurns } from '../../bench/turns.mjs'

test('everybody takes one turn a round, and settles before the next one starts', async () => {
  const happened: string[] = []
  const turn = (subject: string) => ({
    subject,
    run: async () => {
      happened.push(subject)
      return { taken: happened.length }
    },
    settle: async () => void happened.push(`${subject} settles`),
  })
  const all = await takeTurns([turn('a'), turn('b')], { rounds: 2, units: { taken: 'steps' } })
  expect(happened).toEqual(['a', 'a settles', 'b', 'b settles', 'b', 'b settles', 'a', 'a settles'])
  expect(all).toMatchObject([
    { subject: 'a', measure: 'taken', unit: 'steps', quantiles: { count: 2, best: 1, worst: 7 }, failures: 0 },
    { subject: 'b', measure: 'taken', unit: 'steps', quantiles: { count: 2, best: 3, worst: 5 }, failures: 0 },
  ])
})

test('a failure is counted and shown; after three the subject is out, and the others go on', async () => {
  let dropped = ''
  const failing = {
    subject: 'failing',
    run: () => Promise.reject(new Error('no such thing')),
    drop: (reason: string) => {
      dropped = reason
    },
  }
  const working = { subject: 'working', run: async () => ({ taken: 1 }) }
  const all = await takeTurns([failing, working], { rounds: 5 })
  expect(all).toMatchObject([
    { subject: 'failing', quantiles: { count: 0 }, failures: 3, failureReasons: Array(3).fill('no such thing') },
    { subject: 'working', quantiles: { count: 5 }, failures: 0 },
  ])
  expect(dropped).toBe('no such thing')
})

test('who is slow joins every nth round', async () => {
  const all = await takeTurns([{ subject: 'slow', everyRounds: 4, run: async () => ({ taken: 1 }) }], { rounds: 6 })
  expect(all[0].quantiles.count).toBe(2)
})

test('rounds that do not count leave no samples, but failures', async () => {
  let turns = 0
  const run = async () => {
    if (turns++ === 0) throw new Error('not yet')
    return { taken: turns }
  }
  const all = await takeTurns([{ subject: 'a', run }], { rounds: 2, uncounted: 2 })
  expect(all).toMatchObject([{ quantiles: { count: 2, best: 3, worst: 4 }, failures: 1 }])
})
