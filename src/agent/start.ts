/** A process spec as the message that starts it, refused here when Linux or the wire would refuse it. */

import { WarmcellError } from '../errors.ts'
import { encodeMessage } from './codec.ts'
import type { ProcessSpec } from './process.ts'

/** The longest argument and the longest variable Linux takes: MAX_ARG_STRLEN of 131,072, less the NUL at its end. */
export const argumentBytesMax = 131_071

/** @throws INVALID_ARGUMENT, which names what is wrong with it. */
export function encodeStart(spec: ProcessSpec): Buffer {
  if (spec.arguments.length === 0 || spec.arguments[0] === '') throw refuse('the program to start is missing')
  spec.arguments.forEach((argument, index) => {
    assertString(argument, `argument ${index}`)
  })
  const environment = Object.entries(spec.environment).map(([name, value]) => {
    if (name === '' || name.includes('=')) throw refuse(`'${name.slice(0, 64)}' is no name for a variable`)
    const variable = `${name}=${value}`
    assertString(variable, `variable '${name.slice(0, 64)}'`)
    return variable
  })
  assertString(spec.cwd, 'the working directory')
  assertString(spec.user, 'the user')
  const { cwd, user, terminal } = spec
  const stdin = spec.stdin === 'pipe' || terminal !== undefined ? 1 : 0
  return encodeMessage({ type: 'Start', arguments: spec.arguments, environment, cwd, user, stdin, ...terminal })
}

function assertString(text: string, what: string): void {
  if (text.includes('\0')) throw refuse(`${what} has a NUL character in it, which Linux cannot pass`)
  const bytes = Buffer.byteLength(text)
  if (bytes > argumentBytesMax)
    throw refuse(`${what} has ${bytes} bytes, and Linux takes ${argumentBytesMax}`, 'Pass the data on stdin or in a file.')
}

function refuse(what: string, hint?: string): WarmcellError {
  return new WarmcellError('INVALID_ARGUMENT', `The process was not started: ${what}.`, { hint })
}
