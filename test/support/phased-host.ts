/** `phased-host STATE PHASE`: a host that comes to a phase of one of its microVMs, says so, and does nothing more until it is killed. `PHASE` may be `none`: then it says what it was served. */

import { writeSync } from 'node:fs'
import { phasedPool } from '../vm/faults/faulty-pool.ts'
import { type OnPhase, type Phase, word } from '../vm/faults/phases.ts'

const [state = '', wanted = ''] = process.argv.slice(2)

/** Nothing of this process goes on from here, not even what is in other phases. */
const at: OnPhase = (phase: Phase) => {
  if (phase !== wanted) return
  writeSync(1, `${phase}\n`)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

const setup = [`echo ${word('setup')}`]
const pool = await phasedPool(state, { base: { resources: { memoryMib: 128 }, warm: 1, setup } }, at)
await pool.ready()
const sandbox = await pool.createSandbox({ files: { [word('binding')]: 'x' } })
await sandbox.exec(`echo ${word('exec')}; sleep 0.1`)
const flood = await sandbox.spawn(['yes'])
await flood.stdout.getReader().read()
await at('streaming', sandbox.id)
await flood.kill('SIGKILL')
await at('idle', sandbox.id)
await sandbox.destroy()
await pool.close()
writeSync(1, 'served\n')
