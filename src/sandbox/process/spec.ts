/** A program as a sandbox starts it: what the caller says over what is the sandbox's own. */

import type { ProcessSpec } from '../../agent/index.ts'
import { definedOnly } from '../../common/defined.ts'
import { guestPath } from '../../common/guest-path.ts'
import type { SandboxContext } from '../context.ts'

export function specOf(
  sandbox: SandboxContext,
  program: readonly string[],
  { cwd = '', env, user = sandbox.user }: { cwd?: string; env?: Record<string, string | undefined>; user?: string },
): Omit<ProcessSpec, 'stdin' | 'terminal'> {
  return {
    arguments: program,
    environment: definedOnly({ ...sandbox.env, ...env }),
    cwd: guestPath(sandbox.cwd, cwd),
    user,
  }
}
