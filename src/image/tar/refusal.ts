/** What breaks a rule of tar files, or of whoever reads one: which entry, which rule. */

import { foreignText } from '../../common/text.ts'

/** Characters of an entry's name in a message: the image's author wrote it. */
const nameCharsMax = 160

/** Found where nobody knows which file is being read: whoever does, says it in words of its own. */
export class Refusal extends Error {
  /** A predicate of the entry, or of the whole file where no entry is named: `is a link to nothing`. */
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
