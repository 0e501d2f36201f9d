/** What the two sides can say: each message as a type, and the table of its fields (protocol.md, chapter 3) as data. */

import { WarmcellError } from '../errors.ts'
import { violation } from '../mux/index.ts'
import { decodeFields, encodeFields, type Field } from './fields.ts'

export type Direction = 'guest' | 'host'

/** The greatest length of a message, by whom it is for. The guest's own are answers of a few fields. */
export const messageBytesMax: Readonly<Record<Direction, number>> = { guest: 1_048_576, host: 65_536 }

export type HostMessage =
  | {
      type: 'Hello'
      generation: number
      entropy: Uint8Array
      wallClockNs: bigint
      hostname: string
      machineId: string
      generationId: bigint
      template: number
    }
  | { type: 'Start'; arguments: readonly string[]; environment: readonly string[]; cwd: string; user: string; stdin: number }
  | { type: 'Attach'; process: number; channel: number }
  | { type: 'Signal'; signal: number }
  | { type: 'Terminate'; graceMs: number }
  | { type: 'WriteFile'; path: string; mode: number; user: string }
  | { type: 'Quiesce' }
  | { type: 'SetClock'; wallClockNs: bigint }

export type GuestMessage =
  | { type: 'Welcome'; generation: number; agentVersion: string; kernelRelease: string; bootId: string }
  | { type: 'Started'; pid: number }
  | { type: 'Exited'; exitCode: number; signal: number; oomKilled: number }
  | { type: 'Signalled'; delivered: number }
  | { type: 'Written'; sizeBytes: number }
  | { type: 'Quiesced'; processes: number }
  | { type: 'ClockSet' }
  | { type: 'Failed'; errno: string; step: string; message: string }

export type Message = HostMessage | GuestMessage

interface FieldRule {
  readonly tag: number
  readonly kind: 'number' | 'bigint' | 'text' | 'bytes'
  /** Of a number its value, of text and bytes their size. */
  readonly min?: number
  readonly max?: number
  readonly pattern?: RegExp
  /** Any number of them, in order; all others come once. */
  readonly repeated?: true
}

interface MessageRule {
  readonly code: number
  readonly towards: Direction
  readonly fields: Readonly<Record<string, FieldRule>>
}

const number = (tag: number, min = 0, max: number = Number.MAX_SAFE_INTEGER): FieldRule => ({ tag, kind: 'number', min, max })
const text = (tag: number, more: Partial<FieldRule> = {}): FieldRule => ({ tag, kind: 'text', ...more })

const rules: Readonly<Record<Message['type'], MessageRule>> = {
  Hello: {
    code: 0x01,
    towards: 'guest',
    fields: {
      generation: number(1),
      entropy: { tag: 2, kind: 'bytes', min: 32, max: 256 },
      wallClockNs: { tag: 3, kind: 'bigint' },
      hostname: text(4),
      machineId: text(5, { pattern: /^[0-9a-f]{32}$/i }),
      generationId: { tag: 6, kind: 'bigint' },
      template: number(7, 0, 1),
    },
  },
  Start: {
    code: 0x02,
    towards: 'guest',
    fields: {
      arguments: text(1, { repeated: true }),
      environment: text(2, { repeated: true, pattern: /^[^=]+=/ }),
      cwd: text(3),
      user: text(4),
      stdin: number(5, 0, 1),
    },
  },
  Attach: { code: 0x03, towards: 'guest', fields: { process: number(1, 0, 0xffff_ffff), channel: number(2, 1, 2) } },
  Signal: { code: 0x04, towards: 'guest', fields: { signal: number(1, 1, 64) } },
  Terminate: { code: 0x05, towards: 'guest', fields: { graceMs: number(1) } },
  WriteFile: { code: 0x06, towards: 'guest', fields: { path: text(1, { min: 1 }), mode: number(2), user: text(3) } },
  Quiesce: { code: 0x07, towards: 'guest', fields: {} },
  SetClock: { code: 0x08, towards: 'guest', fields: { wallClockNs: { tag: 1, kind: 'bigint' } } },
  Welcome: {
    code: 0x81,
    towards: 'host',
    fields: { generation: number(1), agentVersion: text(2), kernelRelease: text(3), bootId: text(4) },
  },
  Started: { code: 0x82, towards: 'host', fields: { pid: number(1) } },
  Exited: {
    code: 0x83,
    towards: 'host',
    fields: { exitCode: number(1, 0, 255), signal: number(2, 0, 64), oomKilled: number(3, 0, 1) },
  },
  Signalled: { code: 0x84, towards: 'host', fields: { delivered: number(1, 0, 1) } },
  Written: { code: 0x86, towards: 'host', fields: { sizeBytes: number(1) } },
  Quiesced: { code: 0x87, towards: 'host', fields: { processes: number(1) } },
  ClockSet: { code: 0x88, towards: 'host', fields: {} },
  Failed: { code: 0xff, towards: 'host', fields: { errno: text(1), step: text(2), message: text(3, { max: 4_096 }) } },
}

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
