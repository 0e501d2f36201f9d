import { expect, test } from 'vitest'
import { linkedSignal } from '../../src/common/linked-signal.ts'

test('it fires with the first of its sources, and with its reason', () => {
  const [one, two] = [new AbortController(), new AbortController()]
  const { signal } = linkedSignal([undefined, one.signal, two.signal])
  expect(signal.aborted).toBe(false)
  two.abort('second')
  one.abort('first')
  expect(signal.reason).toBe('second')
})

test('a source that has fired already counts', () => {
  expect(linkedSignal([AbortSignal.abort('before')]).signal.reason).toBe('before')
})

test('unlinked, it follows nobody', () => {
  const source = new AbortController()
  const { signal, unlink } = linkedSignal([source.signal])
  unlink()
  source.abort()
  expect(signal.aborted).toBe(false)
})
