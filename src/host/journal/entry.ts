/** One entry of the journal: an empty file whose name is all it says. Pure. */

import { identityText, type ProcessIdentity, parseIdentity } from '../process-identity.ts'

export interface JournalEntry {
  /** The microVM's, which says what it is for as well: a sandbox's, `wc-template-…`, `wc-probe-…`. */
  readonly id: string
  /** Who starts it, and removes the entry once it has ended. */
  readonly owner: ProcessIdentity
  /** The program that runs it; undefined from before it is started until who it is was written down. */
  readonly program: ProcessIdentity | undefined
  /** Tells apart what one owner starts under one id. */
  readonly nonce: string
}

const starting = 'starting'

/** A rename changes all of it at one stroke, so that no entry is ever half-written. */
export function entryName({ id, owner, program, nonce }: JournalEntry): string {
  const what = program === undefined ? starting : identityText(program)
  return `${encodeURIComponent(id)}.${identityText(owner)}.${nonce}.${what}`
}

/** The other way round; undefined for what is no entry. */
export function parseEntryName(name: string): JournalEntry | undefined {
  const [, id = '', owner = '', nonce = '', what = ''] = /^(.+)\.([\w-]+)\.([0-9a-f]{8})\.([\w-]+)$/.exec(name) ?? []
  const [ownerIdentity, program] = [parseIdentity(owner), parseIdentity(what)]
  if (ownerIdentity === undefined || (program === undefined && what !== starting)) return undefined
  const entry = { id: decoded(id), owner: ownerIdentity, program, nonce }
  return entry.id !== undefined && entryName({ ...entry, id: entry.id }) === name ? { ...entry, id: entry.id } : undefined
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
