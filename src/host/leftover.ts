/** What a process that has ended may leave on this host, in the one shape that everything that clears up works with. */

import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isAlive, type ProcessIdentity, parseIdentity } from './process-identity.ts'

/**
 * 'microvm': its process still runs, or stands still. 'entry': what the journal says of one that has ended. 'template': one half made or half removed. 'place': templates
 * in memory of a state directory that is gone. 'ticket': a place in line for a lock. 'file': one half written. 'group': a control group.
 */
export type LeftoverKind = 'microvm' | 'entry' | 'template' | 'place' | 'ticket' | 'file' | 'group'

/** Something whose owner is dead. */
export interface Leftover {
  readonly kind: LeftoverKind
  /** A microVM's id, or a path of this host. */
  readonly name: string
  /** Who has left it, where that is known. */
  readonly ownerPid?: number | undefined
  /** Why it is not to be removed, as a part of a sentence. */
  readonly keep?: string | undefined
  /**
   * Removes it.
   *
   * @returns false when it has gone already: another reaper was there first
   * @throws an Error that says why it cannot be
   */
  remove(): Promise<boolean>
}

/** Finds what dead owners have left of one sort. What is under way, of whichever process, is no leftover. */
export type Sweeper = () => Promise<readonly Leftover[]>

/** False when it was not there. */
export async function removeFile(hostPath: string): Promise<boolean> {
  return unlink(hostPath).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}

/** Whether an owner is dead, each looked at once: many things are one's. */
export function deathRegister(): (owner: ProcessIdentity) => Promise<boolean> {
  const known = new Map<string, Promise<boolean>>()
  return ({ pid, startedAt, boot }) => {
    const name = `${pid} ${startedAt} ${boot}`
    const found = known.get(name) ?? isAlive({ pid, startedAt, boot }).then((alive) => !alive)
    known.set(name, found)
    return found
  }
}

export interface LeftIn<Name> {
  readonly kind: LeftoverKind
  /** What a name says; undefined for one that is none of these. */
  readonly parse: (name: string) => Name | undefined
  readonly remove: (hostPath: string, parsed: Name) => Promise<boolean>
}

/** What is in a directory under names that say whose it is, and whose owners are dead. None where there is no such directory. */
export async function leftIn<Name extends { readonly owner: ProcessIdentity }>(
  hostDirectory: string,
  { kind, parse, remove }: LeftIn<Name>,
): Promise<Leftover[]> {
  const isDead = deathRegister()
  const left: Leftover[] = []
  for (const name of await namesIn(hostDirectory)) {
    const parsed = parse(name)
    if (parsed === undefined || !(await isDead(parsed.owner))) continue
    const hostPath = join(hostDirectory, name)
    left.push({ kind, name: hostPath, ownerPid: parsed.owner.pid, remove: () => remove(hostPath, parsed) })
  }
  return left
}

/** For a name that says its owner in one of the parts between its dots. */
export function ownerInPart(name: string, index: number): { readonly owner: ProcessIdentity } | undefined {
  const owner = parseIdentity(name.split('.')[index] ?? '')
  return owner && { owner }
}

/** Empty for a directory that is not there. */
export async function namesIn(hostDirectory: string): Promise<string[]> {
  return readdir(hostDirectory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
}
