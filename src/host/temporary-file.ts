/** Files of a state directory that are there for a moment only: their names say whose they are. */

import { randomBytes } from 'node:crypto'
import { type Leftover, leftIn, removeFile } from './leftover.ts'
import { identityText, ownIdentity, type ProcessIdentity, parseIdentity } from './process-identity.ts'

/** What such a file's name begins with: a trial whether the directory can be written to, and a verdict on the accelerator. */
const temporaryPrefixes = { trial: '.trial', verdict: 'probe.json' } as const

export async function temporaryFileName(purpose: keyof typeof temporaryPrefixes): Promise<string> {
  return `${temporaryPrefixes[purpose]}.${identityText(await ownIdentity())}.${randomBytes(4).toString('hex')}`
}

/** Those of dead owners. None where there is no such directory. */
export function temporaryFilesLeft(hostDirectory: string): Promise<Leftover[]> {
  return leftIn(hostDirectory, { kind: 'file', parse: parseName, remove: removeFile })
}

function parseName(name: string): { owner: ProcessIdentity } | undefined {
  const prefix = Object.values(temporaryPrefixes).find((one) => name.startsWith(`${one}.`))
  if (prefix === undefined) return undefined
  const [, text = ''] = /^([\w-]+)\.[0-9a-f]{8}$/.exec(name.slice(prefix.length + 1)) ?? []
  const owner = parseIdentity(text)
  return owner && { owner }
}
