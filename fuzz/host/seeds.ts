/** Writes the inputs that fuzzing begins with, one file each, into the directory that it is given: the golden vectors of the wire, and of each kind of text one that is accepted. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { AgentConnection } from '../../src/agent/index.ts'
import { frameBytes } from '../../test/mux/raw-peer.ts'
import { vectors } from '../../test/mux/vectors.ts'
import { everyCall } from '../../test/support/calls.ts'
import { Feed, turn } from './talk.ts'

const number = { talk: 0, frames: 1, messages: 2, lines: 3, texts: 4 } as const
const [fin, pieceBytes] = [4, 7]

function seed(target: keyof typeof number, bytes: Uint8Array, size = 0): Buffer {
  return Buffer.concat([Buffer.of(number[target], size), bytes])
}

const bytesOf = (kind: string): Buffer[] => vectors(kind).map(([, hex = '']) => Buffer.from(hex, 'hex'))

/** The ids of the streams that the calls have opened. */
async function openedStreams(): Promise<number[]> {
  const pipe = new Feed()
  const connection = new AgentConnection(pipe)
  everyCall(connection)
  await turn()
  const ids = new Set<number>()
  const bytes = Buffer.concat(pipe.written)
  for (let at = 0; at + 12 <= bytes.length; at += 12 + (bytes[at + 1] === 0 ? bytes.readUInt32BE(at + 8) : 0))
    ids.add(bytes.readUInt32BE(at + 4))
  connection.close()
  return [...ids].filter((id) => id > 0)
}

const qmp = [
  '{"QMP": {"version": {}, "capabilities": []}}\n{"return": {}}\n{"return": {"status": "running"}}\n{"return": {}}\n{"return": {}}\n',
  '{"return": {}}\n{"return": {}}\n{"return": {}}\n{"event": "MIGRATION", "data": {"status": "completed"}}\n{"return": {}}\n{"return": 1}\n',
  '{"return": {}}\n{"return": {}}\n{"return": {}}\n{"return": {}}\n{"event": "MIGRATION", "data": {"status": "failed"}}\n{"return": {}}\n{"return": {"status": "failed", "error-desc": "no\\u001b[31m"}}\n',
  '{"error": {"class": "GenericError", "desc": "nope"}}\n',
]
const texts = [
  '42 (a) b) S 7 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 123456 1000',
  '4711-123456-0123456789ab',
  'qemu\0-name\0wc-1,process=warmcell-vm\0-accel\0tcg,thread=multi\0-smp\x001\0-m\x00128M\0-object\0memory-backend-file,id=a,mem-path=/a,,b\0',
  '\x1b[?1049h\x1b[?25l\x1b[?1000;1006h\x1bc\x1b[?2004l',
  'a\na/b\na/b/c\n../a\na/../b\n/a\n',
  'gr\u00fc\u00dfe \u{1f30d}\u202e\r\n\x1b[31m',
]

export async function seeds(): Promise<Buffer[]> {
  const answers = bytesOf('message').filter((bytes) => (bytes[4] ?? 0) >= 0x80)
  const ids = await openedStreams()
  const wire = [...bytesOf('frame'), ...bytesOf('bad-frame')]
  return [
    ...ids.flatMap((id) => answers.map((bytes) => seed('talk', frameBytes(0, fin, id, bytes.length, bytes)))),
    ...ids.map((id) => seed('talk', frameBytes(1, 8, id, 0))),
    ...wire.map((bytes) => seed('talk', bytes, pieceBytes)),
    seed('frames', Buffer.concat(wire), pieceBytes),
    ...wire.map((bytes) => seed('frames', bytes)),
    ...[...bytesOf('message'), ...bytesOf('bad-message')].map((bytes) => seed('messages', bytes, pieceBytes)),
    ...qmp.map((text) => seed('lines', Buffer.from(text), pieceBytes)),
    ...texts.map((text) => seed('texts', Buffer.from(text), pieceBytes)),
  ]
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const directory = process.argv[2] ?? 'seeds'
  mkdirSync(directory, { recursive: true })
  for (const [index, bytes] of (await seeds()).entries()) writeFileSync(join(directory, `seed-${index}`), bytes)
}
