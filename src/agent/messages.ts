/** What the two sides can say: each message as a type, and the table of its fields (protocol.md, chapter 3) as data. */

import { WarmcellError } from '../errors.ts'
import { violation } from '../mux/index.ts'
import { decodeFields, encodeFields, type Field } from './fields.ts'

export type Direction = 'guest' | 'host'

/** The greatest length of a message, by whom it is for. The guest's own are answers of a few fields. */
export const messageBytesMax: Readonly<Record<Direction, number>> = { guest: 1_048_576, host: 65_536 }

/** What is said of something in a file system, whichever way it goes. */
export interface FileFacts {
  path: string
  kind: number
  sizeBytes: number
  /** The permission bits, with those of set-user-id, set-group-id and sticky. */
  mode: number
  /** Since 1970. */
  modifiedNs: bigint
  /** Of a symbolic link. */
  target?: string
}

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
  | {
      type: 'Start'
      arguments: readonly string[]
      environment: readonly string[]
      cwd: string
      user: string
      stdin: number
      columns?: number
      rows?: number
    }
  | { type: 'Attach'; process: number; channel: number }
  | { type: 'Signal'; signal: number }
  | { type: 'Terminate'; graceMs: number }
  | { type: 'WriteFile'; path: string; mode?: number; user: string; append: number }
  | { type: 'Quiesce' }
  | { type: 'SetClock'; wallClockNs: bigint }
  | { type: 'Resize'; columns: number; rows: number }
  | { type: 'ReadFile'; path: string; user: string }
  | { type: 'Stat'; path: string; user: string }
  | { type: 'List'; path: string; user: string; depth: number }
  | { type: 'MakeDirectory'; path: string; user: string }
  | { type: 'Rename'; from: string; to: string; user: string }
  | { type: 'Remove'; path: string; user: string; recursive: number }
  | { type: 'Watch'; path: string; user: string; recursive: number }
  | { type: 'ReadTree'; path: string; user: string }
  | { type: 'WriteTree'; path: string; user: string }
  | ({ type: 'Node' } & FileFacts)
  | { type: 'Connect'; port: number }
  | { type: 'AwaitPort'; port: number }
  | { type: 'Measure' }
  | { type: 'Limit'; memoryBytes?: number; diskBytes?: number; processes?: number; cpuPercent?: number }

export type GuestMessage =
  | { type: 'Welcome'; generation: number; agentVersion: string; kernelRelease: string; bootId: string }
  | { type: 'Started'; pid: number }
  | { type: 'Exited'; exitCode: number; signal: number; oomKilled: number }
  | { type: 'Signalled'; delivered: number }
  | { type: 'Written'; sizeBytes: number }
  | { type: 'Quiesced'; processes: number }
  | { type: 'ClockSet' }
  | { type: 'Reading'; sizeBytes: number }
  | { type: 'Done' }
  | { type: 'Changed'; change: number; path: string; from?: string }
  | ({ type: 'Entry'; owner: string } & FileFacts)
  | {
      type: 'Measured'
      cpuUs: number
      memoryBytes: number
      memoryMaxBytes: number
      diskBytes: number
      diskMaxBytes: number
      processes: number
      oomKills: number
    }
  | { type: 'Failed'; errno: string; step: string; message: string }

export type Message = HostMessage | GuestMessage

interface FieldRule {
  readonly tag: number
  readonly kind: 'number' | 'bigint' | 'text' | 'bytes'
  /** Of a number its value, of text and bytes their size. */
  readonly min?: number
  readonly max?: number
  readonly pattern?: RegExp
  /** Any number of them, in order. */
  readonly repeated?: true
  /** Once or not at all. All others come once. */
  readonly optional?: true
}

interface MessageRule {
  readonly code: number
  readonly towards: Direction
  readonly fields: Readonly<Record<string, FieldRule>>
}

const number = (tag: number, min = 0, max: number = Number.MAX_SAFE_INTEGER): FieldRule => ({ tag, kind: 'number', min, max })
const text = (tag: number, more: Partial<FieldRule> = {}): FieldRule => ({ tag, kind: 'text', ...more })

const optional = (rule: FieldRule): FieldRule => ({ ...rule, optional: true })
const bigint = (tag: number): FieldRule => ({ tag, kind: 'bigint' })

const port = number(1, 1, 65_535)
const flag = (tag: number): FieldRule => number(tag, 0, 1)
const lines = (tag: number): FieldRule => number(tag, 1, 65_535)
const fileMode = (tag: number): FieldRule => number(tag, 0, 0o7777)
/** What most requests about files begin with. */
const place = { path: text(1), user: text(2) }
const facts = (kindMax: number) => ({
  path: text(1),
  kind: number(2, 1, kindMax),
  sizeBytes: number(3),
  mode: fileMode(4),
  modifiedNs: bigint(5),
  target: optional(text(6)),
})

const rules: Readonly<Record<Message['type'], MessageRule>> = {
  Hello: {
    code: 0x01,
    towards: 'guest',
    fields: {
      generation: number(1),
      entropy: { tag: 2, kind: 'bytes', min: 32, max: 256 },
      wallClockNs: bigint(3),
      hostname: text(4),
      machineId: text(5, { pattern: /^[0-9a-f]{32}$/i }),
      generationId: bigint(6),
      template: flag(7),
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
      stdin: flag(5),
      columns: optional(lines(6)),
      rows: optional(lines(7)),
    },
  },
  Attach: { code: 0x03, towards: 'guest', fields: { process: number(1, 0, 0xffff_ffff), channel: number(2, 1, 2) } },
  Signal: { code: 0x04, towards: 'guest', fields: { signal: number(1, 1, 64) } },
  Terminate: { code: 0x05, towards: 'guest', fields: { graceMs: number(1) } },
  WriteFile: {
    code: 0x06,
    towards: 'guest',
    fields: { path: text(1, { min: 1 }), mode: optional(fileMode(2)), user: text(3), append: flag(4) },
  },
  Quiesce: { code: 0x07, towards: 'guest', fields: {} },
  SetClock: { code: 0x08, towards: 'guest', fields: { wallClockNs: bigint(1) } },
  Resize: { code: 0x09, towards: 'guest', fields: { columns: lines(1), rows: lines(2) } },
  ReadFile: { code: 0x0a, towards: 'guest', fields: place },
  Stat: { code: 0x0b, towards: 'guest', fields: place },
  List: { code: 0x0c, towards: 'guest', fields: { ...place, depth: number(3, 1) } },
  MakeDirectory: { code: 0x0d, towards: 'guest', fields: place },
  Rename: { code: 0x0e, towards: 'guest', fields: { from: text(1), to: text(2), user: text(3) } },
  Remove: { code: 0x0f, towards: 'guest', fields: { ...place, recursive: flag(3) } },
  Watch: { code: 0x10, towards: 'guest', fields: { ...place, recursive: flag(3) } },
  ReadTree: { code: 0x11, towards: 'guest', fields: place },
  WriteTree: { code: 0x12, towards: 'guest', fields: place },
  Node: { code: 0x13, towards: 'guest', fields: facts(3) },
  Connect: { code: 0x14, towards: 'guest', fields: { port } },
  AwaitPort: { code: 0x15, towards: 'guest', fields: { port } },
  Measure: { code: 0x16, towards: 'guest', fields: {} },
  Limit: {
    code: 0x17,
    towards: 'guest',
    fields: {
      memoryBytes: optional(number(1)),
      diskBytes: optional(number(2)),
      processes: optional(number(3)),
      cpuPercent: optional(number(4, 1)),
    },
  },
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
  Reading: { code: 0x8a, towards: 'host', fields: { sizeBytes: number(1) } },
  Done: { code: 0x8b, towards: 'host', fields: {} },
  Changed: { code: 0x91, towards: 'host', fields: { change: number(1, 1, 5), path: text(2), from: optional(text(3)) } },
  Entry: { code: 0x93, towards: 'host', fields: { ...facts(4), owner: text(7) } },
  Measured: {
    code: 0x96,
    towards: 'host',
    fields: {
      cpuUs: number(1),
      memoryBytes: number(2),
      memoryMaxBytes: number(3),
      diskBytes: number(4),
      diskMaxBytes: number(5),
      processes: number(6),
      oomKills: number(7),
    },
  },
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
