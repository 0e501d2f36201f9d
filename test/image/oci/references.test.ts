/** What a reference names, by Docker's rules, and that it names the same when it is written out. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatReference, parseReference } from '../../../src/image/oci/index.ts'

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`

test.each([
  ['python', 'docker.io/library/python:latest'],
  ['python:3.12', 'docker.io/library/python:3.12'],
  ['docker.io/python', 'docker.io/library/python:latest'],
  ['index.docker.io/a/b', 'docker.io/a/b:latest'],
  ['docker.io/library/python:3.12-slim', 'docker.io/library/python:3.12-slim'],
  ['a/b', 'docker.io/a/b:latest'],
  ['ghcr.io', 'docker.io/library/ghcr.io:latest'],
  ['localhost/x', 'localhost/x:latest'],
  ['localhost:5000/x:tag', 'localhost:5000/x:tag'],
  ['GHCR.io/a/b__c/d-e.f', 'ghcr.io/a/b__c/d-e.f:latest'],
  ['[::1]:5000/x', '[::1]:5000/x:latest'],
  [`ghcr.io/a/b@${digest}`, `ghcr.io/a/b@${digest}`],
  [`b:tag@${digest}`, `docker.io/library/b@${digest}`],
  ['oci:/images/app', 'oci:/images/app'],
  ['oci:/images/app:1.0', 'oci:/images/app:1.0'],
  ['oci:a:b/c d', 'oci:a:b/c d'],
  ['oci:a:b:c', 'oci:a:b:c'],
  ['docker-archive:/a.tar', 'docker-archive:/a.tar'],
  ['docker-archive:/a:b/c.tar:app:1', 'docker-archive:/a:b/c.tar:docker.io/library/app:1'],
  ['docker-archive:a.tar:localhost:5000/x:1', 'docker-archive:a.tar:localhost:5000/x:1'],
])('%s is %s', (text, written) => {
  expect(formatReference(parseReference(text))).toBe(written)
})

test.each([
  '',
  ' ',
  'A',
  'a:',
  'a:b:c',
  ':b',
  '/a',
  'a//b',
  'a/',
  'a@',
  'a@sha512:00',
  `a@${digest}@${digest}`,
  `a@${digest.toUpperCase()}`,
  'https://ghcr.io/a',
  'docker://a',
  'a b',
  'a\0',
  '..',
  'a/../b',
  'A/a',
  'ghcr.io/',
  'ghcr.io:port/a',
  '-a.b/c',
  'a_.b/c',
  'a___b',
  '0'.repeat(64),
  'a'.repeat(256),
  `a:${'b'.repeat(129)}`,
  'oci:',
  'oci::tag',
  'docker-archive:',
  `oci:${'x'.repeat(5_000)}`,
])('%j names no image', (text) => {
  expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})

/** Texts that are near to being references. */
const piece = fc.constantFrom(
  'a',
  'b9',
  'A',
  'a.b',
  'localhost',
  '5000',
  'library',
  '/',
  ':',
  '@',
  '.',
  '_',
  '-',
  ' ',
  digest,
  'oci',
  'docker.io',
)
const near = fc
  .tuple(fc.constantFrom('', 'oci:', 'docker-archive:'), fc.array(piece, { maxLength: 9 }))
  .map(([kind, parts]) => kind + parts.join(''))

test('what is written out means the same, and is written out the same', () => {
  const check = (text: string): void => {
    let reference: ReturnType<typeof parseReference>
    try {
      reference = parseReference(text)
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
      return
    }
    const written = formatReference(reference)
    expect(parseReference(written)).toEqual(reference)
    expect(formatReference(parseReference(written))).toBe(written)
  }
  fc.assert(fc.property(near, check), { numRuns: 5_000 })
  fc.assert(fc.property(fc.string(), check), { numRuns: 500 })
})
