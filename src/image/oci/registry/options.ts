/** What may be said of registries. */

import { z } from 'zod'
import { plainText } from '../../../common/validate.ts'
import type { Registries } from '../contract.ts'
import { isRegistryHost, isRepository } from '../reference.ts'

/** More are of no use: each one that does not answer costs time. */
const mirrorsMax = 8

const secret = plainText.refine((text) => /^[\x20-\x7e]+$/.test(text), 'expected a text of visible characters')
const host = z
  .string()
  .refine(
    (text) => isRegistryHost(text) && text === text.toLowerCase(),
    'expected the host of a registry, as `ghcr.io` or `localhost:5000`',
  )
const mirror = z.string().refine((text) => {
  const { registry, path } = splitMirror(text)
  return isRegistryHost(registry) && (path === '' || isRepository(path))
}, 'expected `host[:port][/path]`, without a scheme')

export const registriesSchema: z.ZodType<Registries> = z.record(
  host,
  z.strictObject({
    plainHttp: z.boolean({ error: 'expected true or false' }).optional(),
    mirrors: z.array(mirror).max(mirrorsMax, `expected at most ${mirrorsMax} mirrors`).optional(),
    auth: z
      .union([z.strictObject({ username: plainText, password: plainText }), z.strictObject({ token: secret })], {
        error: 'expected { username, password } or { token }',
      })
      .optional(),
  }),
) as z.ZodType<Registries>

/** Where a mirror has a repository: below its path, if it has one. */
export function mirrorOf(text: string, repository: string): { registry: string; repository: string } {
  const { registry, path } = splitMirror(text)
  return { registry, repository: path === '' ? repository : `${path}/${repository}` }
}

function splitMirror(text: string): { registry: string; path: string } {
  const slash = text.indexOf('/')
  return slash < 0 ? { registry: text, path: '' } : { registry: text.slice(0, slash), path: text.slice(slash + 1) }
}
