// Tables in a terminal: redrawn in place where it is one, a line now and then where it is not.

export class Screen {
  #out
  #drawn = 0

  constructor(out) {
    this.#out = out
  }

  /** A person reads along; a log is looked at later. */
  get everyMs() {
    return this.#out.isTTY ? 250 : 2_000
  }

  /** `lines` in the place of those before, or `line` after them. */
  draw(lines, line) {
    if (!this.#out.isTTY) {
      this.#out.write(`${line}\n`)
      return
    }
    const up = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A`
    // Cut to the width: a line that wraps would be two to go up by.
    const cut = lines.map((text) => `\u001b[2K${text.slice(0, this.#out.columns - 1)}\n`)
    this.#out.write(up + cut.join(''))
    this.#drawn = lines.length
  }
}

/** Rows in columns that line up; the first row is the heading. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)))
  const lines = rows.map((row) => row.map((cell, column) => String(cell).padStart(widths[column])).join('  '))
  return [lines[0], widths.map((width) => '─'.repeat(width)).join('  '), ...lines.slice(1)]
}
