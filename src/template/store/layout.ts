/** Which names things have where templates lie. */

import { randomBytes } from 'node:crypto'
import { identityText, ownIdentity, type ProcessIdentity, parseIdentity } from '../../host/index.ts'

/** The files of a template; nothing else may be in its directory. */
export const files = { memory: 'memory', state: 'state', log: 'build.log', manifest: 'manifest.json' } as const

/** Beside the templates on the disk. */
export const locksDirectory = 'locks'
export const usedDirectory = 'used'

/** A whole one has its key for a name. */
export const isKey = (name: string): boolean => /^[0-9a-f]{64}$/.test(name)

/** A directory that is being made (`new`) or taken away (`old`): its name says by whom, so that what a crash leaves can be told from what is under way. */
export async function temporaryName(key: string, purpose: 'new' | 'old'): Promise<string> {
  return `${key}.${purpose}.${identityText(await ownIdentity())}.${randomBytes(4).toString('hex')}`
}

/** Undefined for what is no temporary name. */
export function parseTemporaryName(name: string): { key: string; owner: ProcessIdentity } | undefined {
  const [, key, owner = ''] = /^([0-9a-f]{64})\.(?:new|old)\.([\w-]+)\.[0-9a-f]{8}$/.exec(name) ?? []
  const identity = parseIdentity(owner)
  return key === undefined || identity === undefined ? undefined : { key, owner: identity }
}
