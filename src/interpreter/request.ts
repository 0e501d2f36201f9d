/** What an interpreter is asked for: one line of JSON (protocol/runtime.md). */

import { WarmcellError } from '../errors.ts'
import { requestBytesMax, runtimeVersion } from './limits.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** One piece of code, and what surrounds it. */
export interface CodeRequest {
  readonly context: string
  readonly source: string
  /** For the first run of a context: where it begins. Empty: where the interpreter was started. */
  readonly cwd: string
  /** For the first run of a context: variables for as long as it lives. `undefined` unsets. */
  readonly baseEnv: Variables
  /** For this run alone. */
  readonly env: Variables
}

/** @throws `INVALID_ARGUMENT` when it is larger than a driver takes. */
export function encodeRequest({ context, source, cwd, baseEnv, env }: CodeRequest): Buffer {
  const request = { version: runtimeVersion, context, source, ...(cwd !== '' && { cwd }), baseEnv: told(baseEnv), env: told(env) }
  const line = Buffer.from(`${JSON.stringify(request)}\n`)
  if (line.length <= requestBytesMax) return line
  throw new WarmcellError('INVALID_ARGUMENT', `The code has ${line.length} bytes in JSON, and ${requestBytesMax} may be sent.`, {
    hint: 'Pass data in files.',
  })
}

/** A run that shows nothing to anybody and leaves nothing behind: it only treads the way. */
export function encodeProbe(): Buffer {
  return Buffer.from(`${JSON.stringify({ version: runtimeVersion, probe: true })}\n`)
}

/** JSON knows no undefined. */
function told(variables: Variables): Record<string, string | null> {
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, value ?? null]))
}
