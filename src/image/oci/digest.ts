/** What a blob is called by: the SHA-256 of its bytes. */

import { createHash } from 'node:crypto'
import { z } from 'zod'

const sha256Digest = /^sha256:[0-9a-f]{64}$/

export function isDigest(text: string): boolean {
  return sha256Digest.test(text)
}

export const digestSchema: z.ZodType<string> = z
  .string({ error: 'expected a digest' })
  .regex(sha256Digest, 'a digest other than sha256 is not supported')

/** The part that names files. */
export function hexOf(digest: string): string {
  return digest.slice('sha256:'.length)
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
