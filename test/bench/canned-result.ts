/** A result as the suite gathers it, made up: two kernels, a contender that is missing, a row that could not be taken. */

import { judge } from '../../bench/targets.mjs'
import { series } from '../../bench/turns.mjs'

const t1 = [
  series('warmcell', 'create + exec', [4, 5, 6]),
  series('warmcell, minimal kernel', 'create + exec', [2, 3, 4]),
  series('spawn', 'create + true + remove', [4, 4, 4]),
  series('crun', 'create + true + remove', [40, 45, 50]),
  series('podman', 'none', [], 'ms', 'lower', ['it | ended\nwith 126']),
]
const t5 = [series('warmcell', 'made', [38, 44, 50], '/s', 'higher')]

export const cannedResult: object = {
  formatVersion: 1,
  date: '2030-01-02T03:04:05.000Z',
  commit: '0123456789abcdef',
  machine: {
    cpu: 'A <processor> & more',
    architecture: 'x64',
    cores: 2,
    memoryMib: 8_192,
    kernel: '6.1.0',
    distribution: 'Debian',
    node: '20.19.0',
    qemu: '10.0.2',
    isolation: 'emulated',
    guests: [{ subject: 'warmcell', image: 'Linux 6.1.0' }],
  },
  method: { quick: false, rounds: 20, cgroups: 'as it is' },
  load: { before: [0.5, 0.4], after: [2, 1] },
  minutes: 7.25,
  contenders: [
    { name: 'spawn', what: 'spawn', version: '20', reason: null },
    { name: 'podman', what: 'podman run', version: null, reason: 'it ended with 126' },
  ],
  notMeasured: [],
  rows: [
    { id: 'T1', title: 'from warm', how: 'one at a time', status: 'measured', series: t1, verdicts: judge('T1', t1) },
    { id: 'T3', title: 'from nothing', how: 'no stock', status: 'not measured', reason: 'no\nimage', series: [], verdicts: [] },
    { id: 'T5', title: 'made per second', how: 'emptied', status: 'measured', series: t5, verdicts: judge('T5', t5) },
  ],
  leftBehind: [],
}
