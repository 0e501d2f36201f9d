import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FileError, SandboxGoneError, WarmcellError } from '../../src/index.ts'

test('the message ends with what to do, and the cause is kept', () => {
  const cause = new Error('why')
  const error = new WarmcellError('HOST_UNSUPPORTED', 'It does not work.', { hint: 'Install it.', cause, sandboxId: 'wc-1' })
  expect(error.message).toBe('It does not work. Install it.')
  expect(error).toMatchObject({ name: 'WarmcellError', code: 'HOST_UNSUPPORTED', hint: 'Install it.', sandboxId: 'wc-1', cause })
})

test('whether to try again depends on the code, unless it is said', () => {
  expect(new WarmcellError('TIMEOUT', '').retryable).toBe(true)
  expect(new WarmcellError('INVALID_ARGUMENT', '').retryable).toBe(false)
  expect(new WarmcellError('TIMEOUT', '', { retryable: false }).retryable).toBe(false)
})

test('is tells warmcell errors, subclasses and other copies of the package from the rest', () => {
  expect(WarmcellError.is(new FileError('/a', 'ENOSPC', 'full'))).toBe(true)
  expect(WarmcellError.is(new SandboxGoneError('wc-1', 'idle', '', 'it was idle'))).toBe(true)
  expect(WarmcellError.is(Object.assign(new Error(), { code: 'TIMEOUT', retryable: true }))).toBe(true)
  expect(WarmcellError.is(Object.assign(new Error(), { code: 'ENOENT' }))).toBe(false)
  expect(WarmcellError.is({ code: 'TIMEOUT', retryable: true })).toBe(false)
  expect(WarmcellError.is(undefined)).toBe(false)
})

test('every code has its section in docs/errors.md', () => {
  const source = readFileSync(new URL('../../src/errors.ts', import.meta.url), 'utf8')
  const union = /export type ErrorCode =([\s\S]*?)\n\n/.exec(source)?.[1] ?? ''
  const codes = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code)
  expect(codes.length).toBeGreaterThan(10)
  const docs = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
  expect(codes.filter((code) => !new RegExp(`^#+ .*\\b${code}\\b`, 'm').test(docs))).toEqual([])
})
