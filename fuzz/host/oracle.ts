/** What holds of every failure, whatever the guest has sent. */

import assert from 'node:assert/strict'
import { WarmcellError } from '../../src/errors.ts'

/** Control characters, and what turns the order of reading around. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
export const harmful: RegExp = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/

const codes: ReadonlySet<string> = new Set([
  'BOOT_FAILED',
  'CONNECT',
  'FILE',
  'GUEST_UNREACHABLE',
  'INVALID_ARGUMENT',
  'PROTOCOL',
  'SPAWN_FAILED',
  'UNSUPPORTED',
])

/** A typed error that may be shown: short, and without anything that a terminal obeys. @throws whatever is none, itself. */
export function assertTyped(error: unknown): asserts error is WarmcellError {
  if (!WarmcellError.is(error) || !codes.has(error.code)) throw error
  assert.doesNotMatch(error.message, harmful)
  assert.ok(error.message.length < 1_200, 'the message of an error is short')
}

/** What it returns, or the typed error that it throws. */
export function outcomeOf<T>(work: () => T): T | WarmcellError {
  try {
    return work()
  } catch (error) {
    assertTyped(error)
    return error
  }
}
