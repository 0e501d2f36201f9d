/** Every message of the wire, made from the table of its fields: what can be said is understood as it was said, and nothing else is. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeFields, encodeFields } from '../../src/agent/fields.ts'
import { encodeMessage, type Message, MessageReader } from '../../src/agent/index.ts'
import { type FieldRule, rules } from '../../src/agent/message-rules.ts'
import { WarmcellError } from '../../src/errors.ts'

const types = Object.keys(rules) as Message['type'][]

const anyText = (max: number): fc.Arbitrary<string> =>
  fc.string({ unit: 'grapheme', maxLength: max }).filter((text) => !text.includes('\0'))

/** Texts of the two patterns that the table has. */
const patterned = new Map<string, fc.Arbitrary<string>>([
  ['machineId', fc.stringMatching(/^[0-9a-fA-F]{32}$/)],
  ['environment', fc.tuple(fc.stringMatching(/^[^=\0]{1,20}$/), anyText(20)).map(([name, value]) => `${name}=${value}`)],
])

function anyValue(name: string, { kind, min = 0, max, pattern }: FieldRule): fc.Arbitrary<unknown> {
  const [least, most] = [min, Math.min(max ?? 300, 300)]
  if (kind === 'number')
    return fc.oneof(
      fc.constantFrom(min, max ?? Number.MAX_SAFE_INTEGER),
      fc.integer({ min, max: max ?? Number.MAX_SAFE_INTEGER }),
    )
  if (kind === 'bigint') return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
  if (kind === 'bytes') return fc.uint8Array({ minLength: least, maxLength: most }).map((bytes) => Buffer.from(bytes))
  if (pattern !== undefined) return patterned.get(name) ?? expect.unreachable(`a text for the pattern of ${name}`)
  return anyText(30).filter((text) => Buffer.byteLength(text) >= least && Buffer.byteLength(text) <= most)
}

function messageOf(type: Message['type']): fc.Arbitrary<Message> {
  const fields = Object.entries(rules[type].fields)
  const required = fields.filter(([, rule]) => !rule.optional).map(([name]) => name)
  const values = fields.map(([name, rule]) => {
    const value = anyValue(name, rule)
    return [name, rule.repeated ? fc.array(value, { maxLength: 5 }) : value] as const
  })
  return fc
    .record(Object.fromEntries(values), { requiredKeys: required })
    .map((found) => ({ type, ...found }) as unknown as Message)
}

/** All messages in the bytes, cut at the places. */
function read(bytes: Buffer, type: Message['type'], places: readonly number[] = []): Message[] {
  const cuts = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  const reader = new MessageReader(rules[type].towards)
  const messages: Message[] = []
  for (const [index, end] of cuts.slice(1).entries()) {
    reader.push(bytes.subarray(cuts[index], end))
    for (let message = reader.next(); message !== undefined; message = reader.next()) messages.push(message)
  }
  return messages
}

/** What an unreadable message is, and nothing else. */
function expectRefusal(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(WarmcellError)
    expect(error).toMatchObject({ code: 'PROTOCOL' })
  }
}

const places = fc.array(fc.nat(), { maxLength: 6 })

describe.each(types)('%s', (type) => {
  it('is read as it was said, in any pieces, with what follows it', () => {
    fc.assert(
      fc.property(messageOf(type), messageOf(type), places, (first, second, cuts) => {
        const bytes = Buffer.concat([encodeMessage(first), encodeMessage(second)])
        expect(read(bytes, type, cuts)).toEqual([first, second])
      }),
      { numRuns: 60 },
    )
  })

  it('with bytes changed, lost or added is another message or PROTOCOL', () => {
    const change = fc.record({ at: fc.nat(), remove: fc.nat(3), insert: fc.uint8Array({ maxLength: 3 }) })
    fc.assert(
      fc.property(messageOf(type), fc.array(change, { minLength: 1, maxLength: 4 }), places, (message, changes, cuts) => {
        let bytes = encodeMessage(message)
        for (const { at, remove, insert } of changes) {
          const from = at % (bytes.length + 1)
          bytes = Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)])
        }
        expectRefusal(() => read(bytes, type, cuts))
      }),
      { numRuns: 100 },
    )
  })

  it('with a field that is missing, doubled or of the wrong size is PROTOCOL; with one that is not known it is the same', () => {
    fc.assert(
      fc.property(messageOf(type), fc.nat(), (message, which) => {
        const body = encodeMessage(message).subarray(4)
        const more = encodeFields(rules[type].code, [...decodeFields(body), [200, Buffer.from('unknown')]])
        expect(read(more, type)).toEqual([message])
        const needed = Object.entries(rules[type].fields).filter(([, rule]) => !rule.optional && !rule.repeated)
        const [, rule] = needed[which % Math.max(1, needed.length)] ?? []
        if (rule === undefined) return
        const fields = decodeFields(body)
        const { code } = rules[type]
        const wrong = [
          fields.filter(([tag]) => tag !== rule.tag),
          [...fields, ...fields.filter(([tag]) => tag === rule.tag)],
          ...(rule.kind !== 'number' && rule.kind !== 'bigint'
            ? []
            : [fields.map(([tag, value]) => [tag, tag === rule.tag ? value.subarray(1) : value] as const)]),
        ]
        for (const one of wrong)
          expect(() => read(encodeFields(code, one), type)).toThrow(expect.objectContaining({ code: 'PROTOCOL' }))
      }),
      { numRuns: 30 },
    )
  })
})
