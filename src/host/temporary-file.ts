/** Files of a state directory that are there for a moment only: their names say whose they are. */

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { deathRegister, type Leftover, namesIn, removeFile } from './leftover.ts'
import { identityText, ownIdentity, type ProcessIdentity, parseIdentity } from './process-identity.ts'

/** What such a file's name begins with: a trial whether the directory can be written to, and a verdict on the accelerator. */
const temporaryPrefixes = { trial: '.trial', verdict: 'probe.json' } as const

export async function temporaryFileName(purpose: keyof typeof temporaryPrefixes): Promise<string> {
  return `${temporaryPrefixes[purpose]}.${identityText(await ownIdentity())}.${randomBytes(4).toString('hex')}`
}

/** Those of dead owners. None where there is no such directory. */
export async function temporaryFilesLeft(hostDirectory: string): Promise<Leftover[]> {
  const isDead = deathRegister()
  const left: Leftover[] = []
  for (const name of await namesIn(hostDirectory)) {
    const owner = ownerOf(name)
    if (owner === undefined || !(await isDead(owner))) continue
    const hostPath = join(hostDirectory, name)
    left.push({ kind: 'file', name: hostPath, ownerPid: owner.pid, remove: () => removeFile(hostPath) })
  }
  return left
}

function ownerOf(name: string): ProcessIdentity | undefined {
  const prefix = Object.values(temporaryPrefixes).find((one) => name.startsWith(`${one}.`))
  if (prefix === undefined) return undefined
  const [, owner = ''] = /^([\w-]+)\.[0-9a-f]{8}$/.exec(name.slice(prefix.length + 1)) ?? []
  return parseIdentity(owner)
}
