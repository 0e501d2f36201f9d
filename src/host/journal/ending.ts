/** Ending the processes of a microVM whose owner is dead, and nobody else's. */

import { setTimeout as delay } from 'node:timers/promises'
import { killProcess } from '../kill.ts'
import { type Recognise, vmBehind } from '../lineage.ts'
import { identityOf, isAlive, isOfThisBoot, type ProcessIdentity } from '../process-identity.ts'
import { commandLineOf, pidsWith } from '../processes.ts'
import type { JournalEntry } from './entry.ts'

/** How long a process may take to end once it was killed, in milliseconds: one that waits for a disk takes no signal until that answers. */
const endDeadlineMs = 5_000

const pollMs = 10

/**
 * Between the start of a process and its first own words on its command line, in milliseconds: until then it has those of the owner, who was killed in that moment, and
 * cannot be told. Microseconds; more on a host that is busy.
 */
const startingMs = 250

/** The processes that an entry is about and that still run: the one it names, or those that its microVM's id is found in. */
export async function processesOf(entry: JournalEntry, recognise: Recognise): Promise<ProcessIdentity[]> {
  if (entry.program !== undefined) return (await isAlive(entry.program)) ? [entry.program] : []
  if (!(await isOfThisBoot(entry.owner))) return []
  const found = await Promise.all((await pidsOf(entry, recognise)).map(identityOf))
  return found.filter((one) => one !== undefined)
}

/** @throws an Error that says which of them still runs, and why. */
export async function endProcesses(entry: JournalEntry, recognise: Recognise): Promise<void> {
  let found = await processesOf(entry, recognise)
  if (found.length === 0 && entry.program === undefined && (await isOfThisBoot(entry.owner))) {
    await delay(startingMs)
    found = await processesOf(entry, recognise)
  }
  await Promise.all(found.map((one) => endProcess(one, entry.id, recognise)))
}

/**
 * Who it is was written down by its owner and is compared with what the kernel says, and its command line must be that of the microVM: a pid that is another's by now is
 * never signalled. (Between the look and the signal lies a system call or two. A pid is given out again only after all others were.)
 */
async function endProcess(one: ProcessIdentity, id: string, recognise: Recognise): Promise<void> {
  // Not yet run on macOS: there the process is left, and told.
  if (process.platform !== 'linux' && (await isAlive(one)))
    throw new Error(`this system does not tell what the process ${one.pid} runs`)
  const until = performance.now() + endDeadlineMs
  let killed = false
  while (await isAlive(one)) {
    const argv = await commandLineOf(one.pid)
    // A process that is ending has no command line any more.
    if (!killed && argv.length > 0) {
      if (vmBehind(argv, recognise)?.id !== id) throw new Error(`the process ${one.pid} does not look like it any more`)
      killProcess(one.pid)
      killed = true
    }
    if (performance.now() > until) throw new Error(`the process ${one.pid} does not end`)
    await delay(pollMs)
  }
}

async function pidsOf({ id }: JournalEntry, recognise: Recognise): Promise<number[]> {
  if (process.platform !== 'linux') return []
  return pidsWith((argv) => vmBehind(argv, recognise)?.id === id)
}
