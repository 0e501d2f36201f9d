/** Starting a program of test/support/ as a process of its own, where a test needs a second one. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** The command line that runs it. */
export function commandOf(name: string, ...parameters: string[]): [string, ...string[]] {
  const [loader, program] = ['typescript-loader.mjs', name].map((file) => fileURLToPath(new URL(file, import.meta.url)))
  return [process.execPath, '--import', loader as string, program as string, ...parameters]
}

/** Its output can be read; what it says of failures is shown. */
export function startProgram(name: string, ...parameters: string[]): ChildProcess {
  const [node, ...rest] = commandOf(name, ...parameters)
  return spawn(node, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** All that a process prints until it has ended. */
export async function printedBy(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('its output is not piped')
  const [said] = await Promise.all([text(child.stdout), once(child, 'close')])
  return said
}

/** The lines that a process prints, one at a time. */
export function linesOf({ stdout }: ChildProcess): AsyncIterator<string> {
  if (stdout === null) throw new Error('its output is not piped')
  return createInterface(stdout)[Symbol.asyncIterator]()
}
