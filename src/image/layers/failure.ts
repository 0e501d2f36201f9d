/** Why a layer is refused, in words: which layer, which entry, which rule. */

import { foreignText } from '../../common/text.ts'
import { WarmcellError } from '../../errors.ts'
import { Refusal, shownName } from '../tar/index.ts'

/** The one funnel of everything that goes wrong with a layer. An abort and errors that are in words already pass. */
export function layerFailure(digest: string, cause: unknown, signal: AbortSignal | undefined): unknown {
  if (WarmcellError.is(cause) || signal?.aborted) return signal?.aborted ? signal.reason : cause
  if (cause instanceof Refusal) {
    const what = cause.entry === undefined ? 'it' : `its entry ${shownName(cause.entry)}`
    return new WarmcellError('IMAGE', `The layer ${digest} is refused: ${what} ${cause.rule}.`)
  }
  const { code, message } = cause as NodeJS.ErrnoException
  if (code?.startsWith('Z_')) {
    const rule = `it is damaged, or no gzip (${foreignText(message)})`
    return new WarmcellError('IMAGE', `The layer ${digest} is refused: ${rule}.`, { cause })
  }
  return new WarmcellError('IMAGE', `The layer ${digest} cannot be read: ${message}.`, { cause })
}
