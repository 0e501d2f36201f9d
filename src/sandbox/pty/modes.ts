/** What a program has switched on and off at its terminal, found in output that is going to be forgotten. */

/**
 * The private modes that outlive the text they came with: which screen, how keys and the mouse are told, whether the cursor shows. Only these are
 * remembered, so that a hostile program cannot make up more.
 */
const remembered: ReadonlySet<number> = new Set([
  1, 6, 7, 9, 25, 45, 47, 66, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004,
])

/** Which of them show another screen: they come first, for the others may depend on it. */
const screens: ReadonlySet<number> = new Set([47, 1047, 1049])

/** RIS, or DECSET and DECRST (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const switches = /\x1b(?:c|\[\?([\d;]{1,64})([hl]))/g

/** A switch is this long at most; the end of a piece may be the beginning of one. */
const switchCharsMax = 68

export class Modes {
  readonly #on = new Map<number, boolean>()
  #tail = ''

  /** Many times faster than a terminal would be: what is not a switch is not looked at. */
  note(output: Uint8Array): void {
    const text = this.#tail + Buffer.from(output.buffer, output.byteOffset, output.byteLength).toString('latin1')
    let end = 0
    for (const { 0: all, 1: numbers, 2: how, index } of text.matchAll(switches)) {
      end = index + all.length
      if (numbers === undefined) this.#on.clear()
      else for (const mode of numbers.split(';').map(Number)) if (remembered.has(mode)) this.#on.set(mode, how === 'h')
    }
    this.#tail = text.slice(Math.max(end, text.length - switchCharsMax))
  }

  /** What sets them all at another terminal. */
  sequence(): string {
    const modes = [...this.#on].sort(([a], [b]) => Number(screens.has(b)) - Number(screens.has(a)))
    return modes.map(([mode, on]) => `\x1b[?${mode}${on ? 'h' : 'l'}`).join('')
  }

  forget(): void {
    this.#on.clear()
    this.#tail = ''
  }
}
