/** A message's way from what it says to bytes, and back. */

import { WarmcellError } from '../errors.ts'
import { violation } from '../mux/index.ts'
import { decodeFields, encodeFields, type Field } from './fields.ts'
import { type FieldRule, rules } from './message-rules.ts'
import { type Direction, type Message, messageBytesMax } from './messages.ts'

const typeOf: ReadonlyMap<number, Message['type']> = new Map(
  Object.entries(rules).map(([type, rule]) => [rule.code, type as Message['type']]),
)

/** Not a byte-order mark removed, not a broken character replaced: what cannot be said exactly is refused. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * @returns the message with its length before it
 * @throws INVALID_ARGUMENT for what the table does not allow, for NUL in a text, and for more than the direction's greatest length.
 */
export function encodeMessage(message: Message): Buffer {
  const { code, towards, fields } = rules[message.type]
  const wire: Field[] = []
  for (const [name, rule] of Object.entries(fields)) {
    const value = (message as unknown as Readonly<Record<string, unknown>>)[name]
    if (value === undefined && rule.optional) continue
    const values: readonly unknown[] = rule.repeated ? (value as readonly unknown[]) : [value]
    for (const one of values) {
      const bytes = encodeValue(rule, one)
      if (bytes === undefined)
        throw new WarmcellError('INVALID_ARGUMENT', `The guest cannot be sent this as '${name}' of ${message.type}.`)
      wire.push([rule.tag, bytes])
    }
  }
  const encoded = encodeFields(code, wire)
  if (encoded.length - 4 > messageBytesMax[towards]) {
    const what = `A ${message.type} message of ${encoded.length - 4} bytes`
    throw new WarmcellError('INVALID_ARGUMENT', `${what} is more than the wire takes (${messageBytesMax[towards]} bytes).`)
  }
  return encoded
}

/**
 * @param body the message without its length, which the reader has checked
 * @throws PROTOCOL for whatever is not as the table says. A field with an unknown tag is skipped.
 */
export function decodeMessage(body: Buffer, towards: Direction): Message {
  const type = typeOf.get(body[0] ?? -1)
  if (type === undefined || rules[type].towards !== towards) throw violation(`a message of the unknown type ${body[0]}`)
  const found = decodeFields(body)
  const message: Record<string, unknown> = { type }
  for (const [name, rule] of Object.entries(rules[type].fields)) {
    const values = found.flatMap(([tag, bytes]) => (tag === rule.tag ? [decodeValue(rule, bytes, `${name} of ${type}`)] : []))
    if (rule.optional && values.length === 0) continue
    if (!rule.repeated && values.length !== 1) throw violation(`${values.length} times ${name} in ${type}, where one belongs`)
    message[name] = rule.repeated ? values : values[0]
  }
  return message as unknown as Message
}

function encodeValue(rule: FieldRule, value: unknown): Uint8Array | undefined {
  if (rule.kind === 'number' || rule.kind === 'bigint') {
    const valid =
      rule.kind === 'bigint'
        ? typeof value === 'bigint' && BigInt.asUintN(64, value) === value
        : Number.isSafeInteger(value) && inRange(rule, value as number)
    if (!valid) return undefined
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeBigUInt64BE(BigInt(value as number))
    return bytes
  }
  if (rule.kind === 'text' && (typeof value !== 'string' || value.includes('\0') || rule.pattern?.test(value) === false))
    return undefined
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
  return bytes instanceof Uint8Array && inRange(rule, bytes.length) ? bytes : undefined
}

function decodeValue(rule: FieldRule, bytes: Buffer, where: string): unknown {
  if (rule.kind === 'number' || rule.kind === 'bigint') {
    if (bytes.length !== 8) throw violation(`a number of ${bytes.length} bytes as ${where}`)
    const value = bytes.readBigUInt64BE()
    if (rule.kind === 'bigint') return value
    if (!inRange(rule, Number(value))) throw violation(`${value} as ${where}`)
    return Number(value)
  }
  if (!inRange(rule, bytes.length)) throw violation(`${bytes.length} bytes as ${where}`)
  if (rule.kind === 'bytes') return bytes
  const value = decodeText(bytes)
  if (value === undefined || rule.pattern?.test(value) === false) throw violation(`other text than allowed as ${where}`)
  return value
}

function inRange(rule: FieldRule, size: number): boolean {
  return size >= (rule.min ?? 0) && size <= (rule.max ?? Number.MAX_SAFE_INTEGER)
}

function decodeText(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}
