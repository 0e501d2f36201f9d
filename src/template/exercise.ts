/** What stands for a tenant's command, and for a tenant's code, before there is a tenant. */

import type { ProcessSpec } from '../agent/index.ts'
import type { CallOptions } from '../common/deadline.ts'
import { definedOnly } from '../common/defined.ts'
import { connectInterpreter, probeInterpreter } from '../interpreter/index.ts'
import type { Machine } from '../machine/index.ts'
import type { Template } from './template.ts'

/**
 * A program that does nothing, as the template's user, in its directory and environment. By its name, as a tenant would say it: the search through PATH is part
 * of the way. A root without one is exercised as far as the search.
 */
export function idleProgram({ env, user, cwd }: Template): ProcessSpec {
  return { arguments: ['true'], environment: definedOnly(env), cwd, user, stdin: 'closed' }
}

/** Has every interpreter of the template run something that leaves no trace. @throws as `Machine.exercise`. */
export async function probeInterpreters(machine: Machine, { interpreters }: Template, options: CallOptions): Promise<void> {
  for (const { port } of Object.values(interpreters)) await probeInterpreter(machine.connection, port, options)
}

/** Has a connection to each of them ready for the tenant's first code. @throws as `Machine.exercise`. */
export async function connectInterpreters(machine: Machine, { interpreters }: Template, options: CallOptions): Promise<void> {
  for (const { port } of Object.values(interpreters)) await connectInterpreter(machine.connection, port, options)
}
