/** What this process has started on this host, written down where the next process finds it if this one is killed. */

import { randomBytes } from 'node:crypto'
import { rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { WarmcellError } from '../../errors.ts'
import { preparePrivateDirectory } from '../private-directory.ts'
import { identityOf, ownIdentity } from '../process-identity.ts'
import { isShortage } from '../shortage.ts'
import { entryName, type JournalEntry } from './entry.ts'

export function journalDirectory(hostStateDirectory: string): string {
  return join(hostStateDirectory, 'journal')
}

/**
 * Nothing of it is ever synced to the disk, for it lies on the way of every clone: what it says is about processes, which a power cut ends as well, and an identity
 * has the boot of its host in it.
 */
export class Journal {
  readonly #hostDirectory: string
  #prepared: Promise<void> | undefined

  constructor(hostStateDirectory: string) {
    this.#hostDirectory = journalDirectory(hostStateDirectory)
  }

  /** Makes sure that it can be written to, in a state directory that is there. @throws `HOST_UNSUPPORTED` */
  async prepare(): Promise<void> {
    this.#prepared ??= preparePrivateDirectory(this.#hostDirectory).catch((error: unknown) => {
      this.#prepared = undefined
      throw journalFailure(error)
    })
    await this.#prepared
  }

  /**
   * Must come before the program is started.
   *
   * @throws `HOST_UNSUPPORTED` when it cannot be written down.
   */
  async begin(id: string): Promise<OpenEntry> {
    await this.prepare()
    const entry: JournalEntry = { id, owner: await ownIdentity(), program: undefined, nonce: randomBytes(4).toString('hex') }
    return new OpenEntry(await this.#create(entry), entry, this)
  }

  /** Says who the program is. Returns the entry's new path. @throws `HOST_UNSUPPORTED` */
  async amend(hostPath: string, entry: JournalEntry): Promise<string> {
    const next = join(this.#hostDirectory, entryName(entry))
    try {
      await rename(hostPath, next)
      return next
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw journalFailure(error)
      return this.#create(entry)
    }
  }

  /** Somebody may have cleared the directory away while this process lives: then it is made anew. */
  async #create(entry: JournalEntry): Promise<string> {
    const hostPath = join(this.#hostDirectory, entryName(entry))
    const write = (): Promise<void> => writeFile(hostPath, '', { flag: 'wx', mode: 0o600 })
    try {
      await write().catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
        this.#prepared = undefined
        await this.prepare()
        await write()
      })
      return hostPath
    } catch (error) {
      throw journalFailure(error)
    }
  }
}

/** The entry of one microVM, from before its program is started until it has ended. */
export class OpenEntry {
  #hostPath: string
  readonly #entry: JournalEntry
  readonly #journal: Journal

  constructor(hostPath: string, entry: JournalEntry, journal: Journal) {
    this.#hostPath = hostPath
    this.#entry = entry
    this.#journal = journal
  }

  /** The program runs under this pid, unless it has ended already. @throws `HOST_UNSUPPORTED` when that cannot be written down. */
  async started(pid: number): Promise<void> {
    const program = await identityOf(pid).catch((error: unknown) => {
      throw journalFailure(error)
    })
    if (program !== undefined) this.#hostPath = await this.#journal.amend(this.#hostPath, { ...this.#entry, program })
  }

  /** Nothing of it is left. An entry that cannot be removed is of no harm: it is taken away once this process has ended. */
  async end(): Promise<void> {
    await unlink(this.#hostPath).catch(() => {})
  }
}

/** What the file system says, in the words of this room. */
function journalFailure(cause: unknown): unknown {
  if (WarmcellError.is(cause)) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  const short = isShortage(cause)
  const hint = short
    ? 'This host is short of descriptors or memory: raise `ulimit -n`, or do less at once.'
    : code === 'ENOSPC' || code === 'EDQUOT'
      ? 'Its disk has no room or no inode left: free some, or name a `stateDir` on another.'
      : 'Make it usable for this user alone, or name another directory with `stateDir`.'
  return new WarmcellError('HOST_UNSUPPORTED', `A microVM cannot be written down before it is started: ${message}.`, {
    hint,
    retryable: short,
    cause,
  })
}
