import { expect, test } from 'vitest'
import { hasEnded, readProcessStat } from '../../src/common/process-stat.ts'

const line = (name: string, state = 'S'): string =>
  `42 (${name}) ${state} 7 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 123456 1000 100 18446744073709551615`

test.each(['qemu', 'a b', ') Z 1 (', '', '((()))', '\n'])('whatever a process calls itself, its facts are read: %j', (name) => {
  expect(readProcessStat(line(name))).toEqual({ state: 'S', parentPid: 7, session: 42, cpuTicks: 200, startedAt: '123456' })
})

test('one that has ended is told from one that runs', () => {
  expect(
    ['S', 'R', 'T', 'Z', 'X'].filter((state) => hasEnded(readProcessStat(line('a', state)) ?? expect.unreachable())),
  ).toEqual(['Z', 'X'])
})

test('what is no such line is none', () => {
  for (const text of ['', ')', '1 (a) S', 'x'.repeat(1_000)]) expect(readProcessStat(text)).toBeUndefined()
})
