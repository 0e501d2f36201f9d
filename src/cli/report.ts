/** How the command line speaks of itself: on stderr, in colour where a person reads it. */

import yoctoSpinner from 'yocto-spinner'
import { WarmcellError } from '../index.ts'

/** The exit code when warmcell itself fails, as `env`, `timeout` and `docker run` have it: apart from what a command would return. */
export const exitCodeOfFailure = 125

/** What takes longer than this shows that it goes on, in milliseconds. */
const patienceMs = 1_000

const escapes = { bold: 1, red: 31, green: 32, yellow: 33, dim: 2 } as const

/** Colours text for stderr or stdout, where that is a terminal and NO_COLOR (https://no-color.org) is not set. */
export function colour(name: keyof typeof escapes, text: string, stream: NodeJS.WriteStream = process.stderr): string {
  return stream.isTTY && !process.env.NO_COLOR ? `\u001b[${escapes[name]}m${text}\u001b[0m` : text
}

export function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Warnings in one line, without the words that Node has for a program's author. */
export function reportWarnings(): void {
  process.removeAllListeners('warning')
  process.on('warning', ({ message }) => say(colour('dim', `warmcell: ${message}`)))
}

/** A guest's own words: a terminal obeys control characters. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
}

/**
 * Awaits work; at a terminal a progress line appears once it takes over a second, and goes when it is done. The work may change what it says.
 */
export async function withProgress<T>(
  text: string,
  work: Promise<T> | ((show: (text: string) => void) => Promise<T>),
  quiet = false,
): Promise<T> {
  const spinner = quiet || !process.stderr.isTTY ? undefined : yoctoSpinner({ text, handleSignals: false })
  const show = (changed: string): void => {
    if (spinner !== undefined) spinner.text = printable(changed)
  }
  const result = typeof work === 'function' ? work(show) : work
  if (spinner === undefined) return result
  const timer = setTimeout(() => spinner.start(), patienceMs)
  try {
    return await result
  } finally {
    clearTimeout(timer)
    if (spinner.isSpinning) spinner.stop()
  }
}

export function reportFailure(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  say(`${colour('red', 'warmcell:')} ${message}${WarmcellError.is(error) ? colour('dim', ` [${error.code}]`) : ''}`)
  process.exitCode = exitCodeOfFailure
}
