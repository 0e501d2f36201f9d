/** What the file system says while templates are stored or looked at, in the words of this room. */

import { WarmcellError } from '../../errors.ts'
import { isShortage } from '../../host/index.ts'

/** Errors of warmcell, and those that are nobody's on purpose, come back as they are. */
export function storeFailure(cause: unknown): unknown {
  const { code, message } = cause as NodeJS.ErrnoException
  if (WarmcellError.is(cause) || typeof code !== 'string') return cause
  const short = isShortage(cause)
  return new WarmcellError('HOST_UNSUPPORTED', `A template cannot be stored or looked at: ${message}.`, {
    hint: short
      ? 'This host is short of descriptors or memory: raise `ulimit -n`, or do less at once.'
      : 'Make room there, or name a `stateDir` on another disk.',
    retryable: short,
    cause,
  })
}

/** For whoever makes a template anew that is damaged. */
export function undefinedIfCorrupt(error: unknown): undefined {
  if (WarmcellError.is(error) && error.code === 'TEMPLATE_CORRUPT') return undefined
  throw error
}
