/** `launching-host STATE MILLISECONDS`: a host that starts hypervisors in three at a time for as long as it lives, and stands still in the middle of it after so many milliseconds, until it is killed. */

import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { confine, Journal, journalled, prepareStateDirectory } from '../../src/host/index.ts'
import { findQemu } from '../../src/hypervisor/qemu/index.ts'

const [state = '', milliseconds = ''] = process.argv.slice(2)
await prepareStateDirectory(state)
const program = await findQemu()
const journal = new Journal(state)
await journal.prepare()
const launcher = journalled((await confine(program, join(state, 'programs'))).launcher, journal)

/** A machine of nothing, which waits for commands for ever. */
const args = [
  '-machine',
  'none',
  '-nodefaults',
  '-display',
  'none',
  '-chardev',
  'socket,id=qmp,fd=4',
  '-mon',
  'chardev=qmp,mode=control',
]

async function start(serial: number): Promise<void> {
  const id = `wc-launch-${serial}`
  const launched = await launcher.launch({
    ...{ id, program, opens: [], reads: [], writes: [], updates: [], devices: [], pipes: 3, gate: 1 },
    args: ['-name', `${id},process=warmcell-vm`, ...args],
    limits: { memoryMib: 256, threads: 64, cpus: 2, fileMib: 0 },
  })
  // Until it has become QEMU.
  await new Promise((resolve) => launched.pipes[1]?.once('data', resolve))
  launched.signal('SIGKILL')
  await launched.ended
}

const until = performance.now() + Number(milliseconds)
const standStill = (): void => {
  if (performance.now() < until) return void setImmediate(standStill)
  writeSync(1, 'still\n')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}
setImmediate(standStill)
for (let serial = 0; ; serial += 3) await Promise.all([serial, serial + 1, serial + 2].map(start))
