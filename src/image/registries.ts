/** What a user says of registries: checked, and read from the file that the environment names. */

import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { assertValid, plainText } from '../common/validate.ts'
import { WarmcellError } from '../errors.ts'
import type { Registries } from './oci/index.ts'

const text = plainText.refine((value) => value !== '', 'it is empty')

export const registries: z.ZodType<Registries> = z.record(
  z.string().regex(/^[A-Za-z0-9.-]+(:\d+)?$/, "a registry's name is its host, and its port where it has one: 'localhost:5000'"),
  z.strictObject({
    plainHttp: z.boolean('expected true or false').optional(),
    mirrors: z.array(text, 'expected a list of hosts').optional(),
    auth: z
      .union([z.strictObject({ username: text, password: plainText }), z.strictObject({ token: text })], {
        error: 'expected { username, password } or { token }',
      })
      .optional(),
  }),
) as z.ZodType<Registries>

/** What the JSON file says that `WARMCELL_REGISTRIES` names; nothing where it names none. @throws `INVALID_ARGUMENT` */
export async function registriesOfEnvironment(): Promise<Registries> {
  const hostPath = process.env.WARMCELL_REGISTRIES || undefined
  if (hostPath === undefined) return {}
  const said = await readFile(hostPath, 'utf8')
    .then((json): unknown => JSON.parse(json))
    .catch((cause: Error) => {
      throw new WarmcellError('INVALID_ARGUMENT', `WARMCELL_REGISTRIES names ${hostPath}: ${cause.message}.`, {
        hint: 'Name a JSON file such as {"localhost:5000": {"plainHttp": true}}, or unset it.',
        cause,
      })
    })
  assertValid(registries, said, `WARMCELL_REGISTRIES (${hostPath})`)
  return said as Registries
}
