/** Why a layer is refused, in words: which layer, which entry, which rule. */

import { foreignText } from '../../common/text.ts'
import { WarmcellError } from '../../errors.ts'

/** Characters of an entry's name in a message: the image's author wrote it. */
const nameCharsMax = 160

/** What breaks a rule, found where nobody knows the layer yet. Never leaves this room. */
export class Refusal extends Error {
  /** A predicate of the entry, or of the layer where no entry is named: `is a link to nothing`. */
  readonly rule: string
  readonly entry: string | undefined

  /** @param entry the name's bytes, as latin1 */
  constructor(rule: string, entry?: string) {
    super(rule)
    this.rule = rule
    this.entry = entry
  }
}

/** A name as text that is safe to show. What is not UTF-8 shows as replacement characters. */
export function shownName(entry: string): string {
  return `'${foreignText(Buffer.from(entry, 'latin1').toString(), nameCharsMax)}'`
}

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
