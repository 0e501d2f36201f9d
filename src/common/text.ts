/** Making foreign text safe to show. */

/**
 * A guest's own words for a message or a log: one line, nothing that a terminal obeys or that turns the order of what is read around, whole characters, and at most
 * `charsMax` of them.
 */
export function foreignText(text: string, charsMax = 512): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ').trim()
  return plain.length > charsMax ? `${plain.slice(0, charsMax).replace(/[\ud800-\udbff]$/, '')}…` : plain
}

/** A console's or a log's last lines for a message: line feeds and tabs stay, every other control character goes. */
export function foreignLines(text: string): string {
  return (
    text
      .replace(/\r\n?/g, '\n')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
      .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g, '')
      .trim()
  )
}
