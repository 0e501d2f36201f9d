/** The documents about security and what may be relied on point at nothing that is not there. */

import { describe, expect, it, test } from 'vitest'
import { brokenLinks, documents, isNamed, missing, testsIn, textOf, titlesIn } from './references.ts'

describe.each(documents)('%s', (document) => {
  it('names tests that are there', () => {
    expect(testsIn(textOf(document)).flatMap((reference) => missing(reference) ?? [])).toEqual([])
  })

  it('has links that lead somewhere', () => {
    expect(brokenLinks(document)).toEqual([])
  })
})

test('the documents name tests at all', () => {
  const named = documents.flatMap((document) => testsIn(textOf(document)).flatMap(({ names }) => names))
  expect(named.length).toBeGreaterThan(100)
})

test('a reference is a file with the names behind it', () => {
  expect(testsIn('| a | `test/a.test.ts`: "one", "two"; `test/vm/` and `src/b.ts`: "no" |')).toEqual([
    { path: 'test/a.test.ts', names: ['one', 'two'] },
    { path: 'test/vm/', names: [] },
  ])
})

test('what is not there is missed', () => {
  expect(missing({ path: 'test/none.test.ts', names: [] })).toBe('there is no test/none.test.ts')
  const path = 'test/docs/references.test.ts'
  expect(missing({ path, names: ['names tests that are there'] })).toBeUndefined()
  expect(missing({ path, names: ['names tests that are', '…'] })).toBe(`${path} has no "names tests that are", "…"`)
})

test('a title that is filled in, and a name with something left out, are the same where they say the same', () => {
  expect(titlesIn('test/docs/references.test.ts')).toContain('…')
  expect(titlesIn('guest-image/agent/tests/clones.rs')).toContain('a_hook_that_fails_fails_the_handshake_and_is_named')
  expect(isNamed('killed by …', 'killed by …')).toBe(true)
  expect(isNamed('64 MiB of garbage: a typed error', '64 MiB of garbage: …')).toBe(true)
  expect(isNamed('64 MiB of garbage: a typed error', '64 MiB of garbage')).toBe(false)
  expect(isNamed('anything at all', 'any …')).toBe(false)
})
