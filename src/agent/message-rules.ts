/** The table of each message's fields (protocol.md, chapter 3) as data. */

import type { Direction, Message } from './messages.ts'

export interface FieldRule {
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

export interface MessageRule {
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

export const rules: Readonly<Record<Message['type'], MessageRule>> = {
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
