/** What the environment says of registries. */

import { readFile } from 'node:fs/promises'
import { assertValid } from '../common/validate.ts'
import { WarmcellError } from '../errors.ts'
import { type Registries, registriesSchema } from './oci/index.ts'

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
  assertValid(registriesSchema, said, `WARMCELL_REGISTRIES (${hostPath})`)
  return said as Registries
}
