/** Which manifest a tag stood for when it was last asked for: so an image that is here needs no network. */

import { createHash, randomBytes } from 'node:crypto'
import { readFile, rename, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { identityText, ownIdentity } from '../../../host/index.ts'
import { digestSchema } from '../digest.ts'
import type { StoreLayout } from './layout.ts'
import { ignoreAbsent } from './store.ts'

const recordSchema = z.object({ formatVersion: z.literal(1), reference: z.string(), digest: digestSchema })

/** Its digest; undefined when it was never asked for, or when what was written cannot be read. */
export async function rememberedDigest(layout: StoreLayout, reference: string): Promise<string | undefined> {
  const hostPath = recordPath(layout, reference)
  const text = await readFile(hostPath, 'utf8').catch(ignoreAbsent)
  if (text === undefined) return undefined
  const record = recordOf(text)
  if (record?.reference !== reference) return undefined
  const now = new Date()
  await utimes(hostPath, now, now).catch(ignoreAbsent)
  return record.digest
}

export async function rememberDigest(layout: StoreLayout, reference: string, digest: string): Promise<void> {
  const hostPath = recordPath(layout, reference)
  const aside = `${hostPath}.${identityText(await ownIdentity())}.${randomBytes(4).toString('hex')}`
  await writeFile(aside, `${JSON.stringify({ formatVersion: 1, reference, digest })}\n`, { flag: 'wx', mode: 0o600 })
  await rename(aside, hostPath)
}

function recordOf(text: string): z.infer<typeof recordSchema> | undefined {
  try {
    return recordSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** References have characters that file names cannot have. */
function recordPath({ references }: StoreLayout, reference: string): string {
  return join(references, createHash('sha256').update(reference).digest('hex'))
}
