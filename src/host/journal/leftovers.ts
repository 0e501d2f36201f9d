/** What the journal says of owners that are dead: their microVMs are ended, by who they are, and then their entries go. */

import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { deathRegister, type Leftover, namesIn, removeFile } from '../leftover.ts'
import type { Recognise } from '../lineage.ts'
import { assertPrivateDirectory } from '../private-directory.ts'
import { identityText, type ProcessIdentity } from '../process-identity.ts'
import { endProcesses, processesOf } from './ending.ts'
import { type JournalEntry, parseEntryName } from './entry.ts'
import { journalDirectory } from './journal.ts'

/** All that a journal says, of the living and of the dead; what is no entry has none. Empty where there is no journal. */
async function readJournal(hostStateDirectory: string): Promise<{ hostPath: string; entry: JournalEntry | undefined }[]> {
  const hostDirectory = journalDirectory(hostStateDirectory)
  const names = await namesIn(hostDirectory)
  // Nothing is believed of a directory that somebody else could have written to.
  if (names.length > 0) await assertPrivateDirectory(hostDirectory)
  return names.map((name) => ({ hostPath: join(hostDirectory, name), entry: parseEntryName(name) }))
}

/** Who owns which program, by the program's identity as text. */
export async function journalledOwners(hostStateDirectory: string): Promise<Map<string, ProcessIdentity>> {
  const entries = await readJournal(hostStateDirectory)
  return new Map(
    entries.flatMap(({ entry }) => (entry?.program === undefined ? [] : [[identityText(entry.program), entry.owner]])),
  )
}

/** The microVMs and entries of dead owners. @throws when the journal is not this user's alone. */
export async function microvmsLeft(hostStateDirectory: string, recognise: Recognise): Promise<Leftover[]> {
  const isDead = deathRegister()
  const left: Leftover[] = []
  for (const { hostPath, entry } of await readJournal(hostStateDirectory)) {
    if (entry === undefined) left.push(kept(hostPath, 'it is no entry of the journal'))
    else if (await isDead(entry.owner)) left.push(await leftoverOf(hostPath, entry, recognise))
  }
  return left
}

async function leftoverOf(hostPath: string, entry: JournalEntry, recognise: Recognise): Promise<Leftover> {
  const stranger = await strangeness(hostPath)
  if (stranger !== undefined) return kept(hostPath, stranger, entry.owner.pid)
  const running = await processesOf(entry, recognise)
  return {
    kind: running.length > 0 ? 'microvm' : 'entry',
    name: entry.id,
    ownerPid: entry.owner.pid,
    remove: async () => {
      await endProcesses(entry, recognise)
      return removeFile(hostPath)
    },
  }
}

/** Why something that has an entry's name is none. Of a file only its name is ever read. */
async function strangeness(hostPath: string): Promise<string | undefined> {
  const found = await lstat(hostPath).catch(() => undefined)
  if (found === undefined) return undefined
  if (!found.isFile()) return 'it is not a file'
  const own = process.geteuid?.() ?? found.uid
  return found.uid === own ? undefined : `it belongs to the user ${found.uid}`
}

function kept(hostPath: string, keep: string, ownerPid?: number): Leftover {
  return { kind: 'entry', name: hostPath, ownerPid, keep, remove: async () => false }
}
