/** Writes the inputs that fuzzing the agent begins with, one file each, into the directory that it is given: the golden vectors of the wire, accounts, and a kernel's command line. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { frameBytes } from '../../test/mux/raw-peer.ts'
import { vectors } from '../../test/mux/vectors.ts'

/** As the agent's target numbers them. */
const number = { conversation: 0, pieces: 1, messages: 2, texts: 3 } as const
const [syn, fin, pieceBytes] = [1, 4, 7]

const seed = (target: keyof typeof number, bytes: Uint8Array, size = 0): Buffer =>
  Buffer.concat([Buffer.of(number[target], size), bytes])

const bytesOf = (kind: string): Buffer[] => vectors(kind).map(([, hex = '']) => Buffer.from(hex, 'hex'))

const requests = bytesOf('message').filter((bytes) => (bytes[4] ?? 0xff) < 0x80)
const opening = requests.map((bytes, index) => frameBytes(0, syn, 2 * index + 1, bytes.length, bytes))
const wire = [...bytesOf('frame'), ...bytesOf('bad-frame')]
const texts = [
  'user\0root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:A User,,,:/home/user:/bin/ash\n\0wheel:x:10:root,user\n',
  '1000:wheel\0root:x:0:0:root:/root:/bin/sh\n\0wheel:x:10:root,user\n',
  '33:44\0\0',
  'quiet warmcell.disk_mib=96 warmcell.pids=512 warmcell.rootfs=squashfs',
]

const seeds = [
  ...(['conversation', 'pieces'] as const).flatMap((target) => [
    seed(target, Buffer.concat(opening)),
    ...opening.flatMap((bytes) => [seed(target, bytes), seed(target, bytes, pieceBytes)]),
    ...requests.map((bytes) => seed(target, frameBytes(0, syn | fin, 1, bytes.length, bytes))),
    ...wire.map((bytes) => seed(target, bytes, 1)),
    seed(target, Buffer.concat([opening[0] ?? Buffer.of(), ...wire])),
  ]),
  ...[...requests, ...bytesOf('bad-message')].map((bytes) => seed('messages', bytes, pieceBytes)),
  seed('messages', Buffer.concat(requests)),
  ...texts.map((text) => seed('texts', Buffer.from(text))),
]

const directory = process.argv[2] ?? 'seeds'
mkdirSync(directory, { recursive: true })
for (const [index, bytes] of seeds.entries()) writeFileSync(join(directory, `seed-${index}`), bytes)
