/**
 * `journal-host STATE ID PHASE`: a host that starts one microVM's stand-in through the journal, says its pid (0 for none) at some phase of that, and stays there until it is
 * killed. The stand-in outlives it.
 */

import { Journal } from '../../src/host/journal/journal.ts'
import { journalled } from '../../src/host/journal/launcher.ts'
import type { Launched, Launcher } from '../../src/hypervisor/index.ts'
import { outlivingLauncher, standIn } from './stand-in.ts'

const [stateDirectory = '', id = '', phase = ''] = process.argv.slice(2)

const stay = (pid: number): Promise<never> => {
  process.stdout.write(`${pid}\n`)
  return new Promise(() => setInterval(() => {}, 1e6))
}

const outliving = await outlivingLauncher()

/** What happens where the journal calls for the program. */
const inner: Launcher = {
  launch: async (launch): Promise<Launched> => {
    if (phase === 'written down, not started') return stay(0)
    const launched = await outliving.launch(launch)
    if (phase === 'started, not named') return stay(launched.pid)
    if (phase !== 'ended, not removed') return launched
    const { pid, pipes } = launched
    const ended = launched.ended.then(() => stay(0))
    return { pid, pipes, ended, logTail: () => launched.logTail(), signal: (name) => launched.signal(name) }
  },
}

if (phase === 'not begun') await stay(0)
const launched = await journalled(inner, new Journal(stateDirectory)).launch(standIn(id))
if (phase === 'ended, not removed') launched.signal('SIGKILL')
else if (phase === 'running') await stay(launched.pid)
await launched.ended
