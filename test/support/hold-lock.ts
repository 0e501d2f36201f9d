/** `hold-lock DIRECTORY TRACE HOW`: takes a lock so many times, and leaves a trace of it; or takes it once, says so, and never gives it back. */

import { appendFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { withLock } from '../../src/host/lock.ts'

const [directory = '', trace = '', how = ''] = process.argv.slice(2)

if (how === 'for-ever') {
  await withLock(directory, 'a', {}, () => {
    process.stdout.write('held\n')
    return delay(60_000)
  })
}
for (let turn = 0; turn < Number(how); turn++) {
  await withLock(directory, 'a', {}, async () => {
    appendFileSync(trace, `+${process.pid}\n`)
    await delay(2)
    appendFileSync(trace, `-${process.pid}\n`)
  })
}
