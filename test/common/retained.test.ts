import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RetainedBytes, wholeCharactersEnd } from '../../src/common/retained.ts'

const chunks = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 40 })
/** Some text, cut into pieces wherever the numbers say: also inside characters. */
const cutText = fc
  .tuple(fc.string({ unit: 'binary', maxLength: 200 }), fc.array(fc.nat(), { maxLength: 20 }))
  .map(([text, cuts]) => {
    const bytes = Buffer.from(text)
    const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
    return { text: bytes.toString(), pieces: at.slice(1).map((end, index) => bytes.subarray(at[index], end)) }
  })

test('the bytes kept are the first or the last that came, whatever the chunks', () => {
  fc.assert(
    fc.property(chunks, fc.nat(1_000), fc.constantFrom('head' as const, 'tail' as const), (pieces, bytesMax, keep) => {
      const retained = new RetainedBytes(bytesMax, keep)
      for (const piece of pieces) retained.push(piece)
      const all = Buffer.concat(pieces)
      const expected = keep === 'head' ? all.subarray(0, bytesMax) : all.subarray(Math.max(0, all.length - bytesMax))
      expect(Buffer.from(retained.bytes())).toEqual(expected)
      expect(retained.droppedBytes).toBe(all.length - expected.length)
    }),
  )
})

test('the text kept is a whole part of the text that came: no character is cut', () => {
  fc.assert(
    fc.property(cutText, fc.nat(300), fc.constantFrom('head' as const, 'tail' as const), ({ text, pieces }, bytesMax, keep) => {
      const retained = new RetainedBytes(bytesMax, keep)
      for (const piece of pieces) retained.push(piece)
      const kept = retained.text()
      expect(keep === 'head' ? text.startsWith(kept) : text.endsWith(kept)).toBe(true)
      expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(bytesMax)
      // At most three bytes are given up for a character that does not fit.
      expect(Buffer.byteLength(kept)).toBeGreaterThanOrEqual(Math.min(bytesMax - 3, Buffer.byteLength(text)))
    }),
  )
})

test('what is kept does not change when the writer uses its buffer again', () => {
  const retained = new RetainedBytes(10, 'tail')
  const buffer = Buffer.from('abc')
  retained.push(buffer)
  buffer.fill('x')
  expect(retained.text()).toBe('abc')
})

test('a million single bytes are kept within the bound, and in linear time', () => {
  const retained = new RetainedBytes(1_000, 'tail')
  const startedAt = process.cpuUsage()
  for (let index = 0; index < 1_000_000; index++) retained.push(Uint8Array.of(index % 256))
  expect(retained.bytes().length).toBe(1_000)
  expect(retained.droppedBytes).toBe(999_000)
  expect(process.cpuUsage(startedAt).user / 1e6).toBeLessThan(10)
})

test('wholeCharactersEnd leaves over what a streaming decoder would, for any text cut anywhere', () => {
  fc.assert(
    fc.property(cutText, ({ text }) => {
      const bytes = Buffer.from(text)
      for (let cut = 0; cut <= bytes.length; cut++) {
        const part = bytes.subarray(0, cut)
        const decoded = new TextDecoder('utf-8', { ignoreBOM: true }).decode(part, { stream: true })
        expect(wholeCharactersEnd(part)).toBe(Buffer.byteLength(decoded))
      }
    }),
  )
})

test('bytes that are no UTF-8 are never held back for long', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
      const end = wholeCharactersEnd(bytes)
      expect(bytes.length - end).toBeLessThanOrEqual(3)
      expect(end).toBeGreaterThanOrEqual(0)
    }),
  )
  for (const junk of [[0xff], [0xf8, 0x80], [0x80, 0x80, 0x80], [0xfe, 0xff]])
    expect(wholeCharactersEnd(Uint8Array.from(junk))).toBe(junk.length)
})
