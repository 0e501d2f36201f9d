/** One at a time, across processes of this host: a lock that the death of its holder releases. */

import { randomBytes } from 'node:crypto'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Leftover, leftIn, ownerInPart, removeFile } from './leftover.ts'
import { identityText, isAlive, ownIdentity, parseIdentity } from './process-identity.ts'

/** How often one that waits looks, in milliseconds: soon at first, for most waits are short, and then at a pace that costs nothing. */
const pollMs = { first: 50, last: 500 } as const

export interface LockOptions {
  readonly signal?: AbortSignal
  /** Called once when somebody else holds it. */
  readonly onWait?: () => void
}

/** A place in the line: an empty file whose name says which, and whose it is. */
interface Ticket {
  readonly file: string
  readonly number: number
}

/**
 * Does the work while no other process, and no other caller in this one, does work under the same name.
 *
 * Node has no flock, and a lock file that is removed when its owner looks dead can be removed twice: the second time it is another's. So nobody removes what
 * might be another's. Everyone who wants the lock leaves a ticket whose name is used once; the lowest ticket of a living process has it (Lamport's bakery). One that
 * comes with a low ticket while a higher one is there, which may hold the lock already, gives it back and takes one behind.
 *
 * @param hostDirectory of this user alone, on this host
 * @param name of letters and digits
 * @throws the signal's reason, or what the file system says.
 */
export async function withLock<T>(
  hostDirectory: string,
  name: string,
  { signal, onWait }: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const ticket = await takeTicket(hostDirectory, name, signal)
  try {
    await turnOf(ticket, hostDirectory, name, signal, onWait)
    return await work()
  } finally {
    await rm(join(hostDirectory, ticket.file), { force: true })
  }
}

async function takeTicket(hostDirectory: string, name: string, signal: AbortSignal | undefined): Promise<Ticket> {
  const owner = identityText(await ownIdentity())
  for (;;) {
    signal?.throwIfAborted()
    const number = Math.max(0, ...(await livingTickets(hostDirectory, name)).map((ticket) => ticket.number)) + 1
    const ticket = { number, file: `${name}.${number}.${owner}.${randomBytes(6).toString('hex')}` }
    await writeFile(join(hostDirectory, ticket.file), '', { flag: 'wx', mode: 0o600 })
    const line = await livingTickets(hostDirectory, name)
    if (line.every((other) => other.file === ticket.file || isBefore(other, ticket))) return ticket
    await rm(join(hostDirectory, ticket.file), { force: true })
  }
}

async function turnOf(
  ticket: Ticket,
  hostDirectory: string,
  name: string,
  signal: AbortSignal | undefined,
  onWait: (() => void) | undefined,
): Promise<void> {
  for (let waitMs: number = pollMs.first, told = false; ; waitMs = Math.min(waitMs * 1.5, pollMs.last)) {
    signal?.throwIfAborted()
    const line = await livingTickets(hostDirectory, name)
    if (!line.some((other) => isBefore(other, ticket))) return
    if (!told) onWait?.()
    told = true
    await delay(waitMs, undefined, signal && { signal }).catch(() => signal?.throwIfAborted())
  }
}

/** The line as it is. The tickets of the dead are removed: no living one ever has their names. */
async function livingTickets(hostDirectory: string, name: string): Promise<Ticket[]> {
  const files = (await readdir(hostDirectory)).filter((file) => file.startsWith(`${name}.`))
  const tickets = files.map(async (file): Promise<Ticket[]> => {
    const [number = '', owner = ''] = file.slice(name.length + 1).split('.')
    const identity = parseIdentity(owner)
    if (identity !== undefined && (await isAlive(identity))) return [{ file, number: Number(number) }]
    await rm(join(hostDirectory, file), { force: true })
    return []
  })
  return (await Promise.all(tickets)).flat()
}

function isBefore(one: Ticket, other: Ticket): boolean {
  return one.number === other.number ? one.file < other.file : one.number < other.number
}

/** The tickets of the dead, for every name. None where there is no such directory. */
export function ticketsLeft(hostDirectory: string): Promise<Leftover[]> {
  return leftIn(hostDirectory, { kind: 'ticket', parse: (name) => ownerInPart(name, 2), remove: removeFile })
}
