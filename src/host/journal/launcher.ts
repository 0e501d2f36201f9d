/** A launcher that writes down what it starts: before it is started, who it is, and when it has ended. */

import type { Launch, Launched, Launcher } from '../../hypervisor/index.ts'
import type { Journal, OpenEntry } from './journal.ts'

/** @throws of `launch` also `HOST_UNSUPPORTED` when it cannot be written down: nothing is started then, or nothing is left of it. */
export function journalled(inner: Launcher, journal: Journal): Launcher {
  return {
    launch: async (launch) => {
      const entry = await journal.begin(launch.id)
      return follow(await started(inner, launch, entry), entry)
    },
  }
}

async function started(inner: Launcher, launch: Launch, entry: OpenEntry): Promise<Launched> {
  let launched: Launched | undefined
  try {
    launched = await inner.launch(launch)
    await entry.started(launched.pid)
    return launched
  } catch (error) {
    if (launched !== undefined) await discard(launched)
    await entry.end()
    throw error
  }
}

async function discard(launched: Launched): Promise<void> {
  launched.signal('SIGKILL')
  await launched.ended
}

function follow(launched: Launched, entry: OpenEntry): Launched {
  const { pid, pipes, standard } = launched
  const ended = launched.ended.then(async (end) => {
    await entry.end()
    return end
  })
  return { pid, pipes, standard, ended, logTail: () => launched.logTail(), signal: (name) => launched.signal(name) }
}
