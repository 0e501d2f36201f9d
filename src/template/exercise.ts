/** What stands for a tenant's command before there is a tenant. */

import type { ProcessSpec } from '../agent/index.ts'
import { definedOnly } from '../common/defined.ts'
import type { Template } from './template.ts'

/**
 * A program that does nothing, as the template's user, in its directory and environment. By its name, as a tenant would say it: the search through PATH is part
 * of the way. A root without one is exercised as far as the search.
 */
export function idleProgram({ env, user, cwd }: Template): ProcessSpec {
  return { arguments: ['true'], environment: definedOnly(env), cwd, user, stdin: 'closed' }
}
