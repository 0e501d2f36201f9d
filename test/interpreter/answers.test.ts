import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeRequest } from '../../src/interpreter/index.ts'
import { meaningOf, runtimeVectors } from './vectors.ts'

/** A frame, right or wrong. */
function frame(kind: number, payload: Buffer | string, length = Buffer.byteLength(payload)): Buffer {
  const head = Buffer.alloc(5)
  head[0] = kind
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, Buffer.from(payload)])
}

function result(mime: string, length: number, flag = 1): Buffer {
  const head = Buffer.alloc(5)
  head[0] = flag
  head.writeUInt32BE(length, 1)
  return frame(3, Buffer.concat([head, Buffer.from(mime)]))
}

const end = frame(5, '{}')

test.each(runtimeVectors())('golden: $name', ({ answer, means }) => {
  expect(meaningOf([answer])).toEqual(means)
})

test('an answer means the same in any chunks', () => {
  const piece = fc.oneof(
    fc.record({ stream: fc.constantFrom('stdout', 'stderr'), text: fc.string({ minLength: 1, unit: 'binary' }) }),
    fc.record({ mime: fc.constantFrom('text/plain', 'image/svg+xml'), data: fc.string({ maxLength: 300, unit: 'grapheme' }) }),
  )
  const property = fc.property(fc.array(piece), fc.array(fc.nat(), { maxLength: 40 }), (pieces, cuts) => {
    const bytes: Buffer[] = []
    const means = { stdout: '', stderr: '', results: [] as unknown[], end: {} }
    for (const one of pieces) {
      if ('stream' in one) {
        bytes.push(frame(one.stream === 'stdout' ? 1 : 2, one.text))
        means[one.stream as 'stdout'] += one.text
        continue
      }
      const data = Buffer.from(one.data)
      bytes.push(result(one.mime, data.length))
      for (let at = 0; at < data.length; at += 7) bytes.push(frame(4, data.subarray(at, at + 7)))
      means.results.push({ isValue: true, mime: one.mime, data: data.toString() })
    }
    const whole = Buffer.concat([...bytes, end])
    const places = [...new Set(cuts.map((cut) => cut % whole.length)), 0, whole.length].sort((a, b) => a - b)
    const chunks = places.slice(1).map((place, index) => whole.subarray(places[index], place))
    const meaning = meaningOf(chunks)
    expect({ ...meaning, stdout: '', stderr: '' }).toEqual({ ...means, stdout: '', stderr: '' })
    expect(Buffer.from(meaning.stdout)).toEqual(Buffer.from(means.stdout))
    expect(Buffer.from(meaning.stderr)).toEqual(Buffer.from(means.stderr))
  })
  fc.assert(property)
})

test('garbage is refused or an answer, and never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        meaningOf([Buffer.from(bytes)])
      } catch (error) {
        expect(error).toMatchObject({ code: 'PROTOCOL' })
      }
    }),
  )
})

describe('refused, from the header where that says it', () => {
  const wrong: [string, Buffer[]][] = [
    ['an unknown kind', [frame(6, 'x')]],
    ['kind 0', [frame(0, 'x')]],
    ['a frame that is too long', [frame(1, '', 65_537)]],
    ['the longest length there is', [frame(1, '', 0xffff_ffff)]],
    ['a frame with nothing in it', [frame(1, '')]],
    ['data without a result', [frame(4, 'x')]],
    ['more data than the result has', [result('text/plain', 1), frame(4, 'xy')]],
    ['a result within a result', [result('text/plain', 1), result('text/plain', 1)]],
    ['a result that is not complete', [result('text/plain', 2), frame(4, 'x'), end]],
    ['a result without its length', [frame(3, 'abc')]],
    ['a result of an unknown sort', [result('text/plain', 1, 2)]],
    ['a type that is none', [result('text plain', 1)]],
    ['a type in capitals', [result('Text/Plain', 1)]],
    ['an endless type', [result(`text/${'x'.repeat(200)}`, 1)]],
    ['more bytes of results than are kept', [result('text/plain', 64 * 2 ** 20 + 1)]],
    ['more results than are kept', Array.from({ length: 1_025 }, () => result('text/plain', 0))],
    ['an end that is no JSON', [frame(5, '{')]],
    ['an end that is no object', [frame(5, '3')]],
    ['an error that is none', [frame(5, '{"error":{"name":1}}')]],
    ['something after the end', [end, frame(1, 'x')]],
  ]
  test.each(wrong)('%s', (_, chunks) => {
    expect(() => meaningOf(chunks)).toThrow(expect.objectContaining({ code: 'PROTOCOL', retryable: false }))
  })
})

test('a result that broke off because its context was lost is left out', () => {
  const error = { name: 'ContextLost', message: 'gone', traceback: '' }
  const meaning = meaningOf([result('text/plain', 9), frame(4, 'half'), frame(5, JSON.stringify({ error }))])
  expect(meaning).toMatchObject({ results: [], end: { error } })
})

test('output may come between the pieces of a result', () => {
  const meaning = meaningOf([result('text/plain', 2), frame(4, 'a'), frame(1, 'printed'), frame(4, 'b'), end])
  expect(meaning).toMatchObject({ stdout: 'printed', results: [{ data: 'ab' }] })
})

test('a request that is larger than a driver takes is refused here', () => {
  const request = { context: 'default', cwd: '', baseEnv: {}, env: {} }
  expect(encodeRequest({ ...request, source: 'x'.repeat(8_000_000) }).at(-1)).toBe(10)
  expect(() => encodeRequest({ ...request, source: 'x'.repeat(8_400_000) })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  )
})
