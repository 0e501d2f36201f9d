/** A template that is not what it was stored as is never used: it is built anew, and clones that run do not notice. */

import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import type { Snapshot } from '../../src/template/index.ts'
import { Workshop } from './workshop.ts'

/** Writes although nobody may, as a damaged disk does. */
function overwrite(hostPath: string, content: string | Uint8Array): void {
  chmodSync(hostPath, 0o644)
  writeFileSync(hostPath, content)
  chmodSync(hostPath, 0o444)
}

function editManifest({ directory }: Damage, changed: Record<string, unknown>): void {
  const manifest = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8'))
  overwrite(join(directory, 'manifest.json'), JSON.stringify({ ...manifest, ...changed }))
}

function withOpenDirectory({ directory }: Damage, change: () => void): void {
  chmodSync(directory, 0o755)
  change()
  chmodSync(directory, 0o555)
}

interface Damage {
  readonly directory: string
  readonly memory: string
}

const damages: Record<string, { cause: (damage: Damage) => void; says: string }> = {
  'a truncated memory': {
    cause: ({ memory }) => {
      chmodSync(memory, 0o644)
      truncateSync(memory, 3)
      chmodSync(memory, 0o444)
    },
    says: "'memory' has 3 bytes instead of",
  },
  'a flipped byte': {
    cause: ({ memory }) => {
      const bytes = readFileSync(memory)
      bytes[0] = (bytes[0] ?? 0) ^ 1
      overwrite(memory, bytes)
      utimesSync(memory, new Date(0), new Date(0))
    },
    says: "'memory' does not hold what was stored",
  },
  'another state': {
    cause: ({ directory }) => {
      const state = join(directory, 'state')
      overwrite(state, '[]'.padEnd(readFileSync(state).length))
    },
    says: "'state' does not hold what was stored",
  },
  'a memory that was replaced': {
    cause: (damage) =>
      withOpenDirectory(damage, () => {
        const length = readFileSync(damage.memory).length
        rmSync(damage.memory)
        writeFileSync(damage.memory, Buffer.alloc(length), { mode: 0o444 })
      }),
    says: "'memory' does not hold what was stored",
  },
  'a memory that is a link': {
    cause: (damage) =>
      withOpenDirectory(damage, () => {
        renameSync(damage.memory, join(damage.directory, '..', 'elsewhere'))
        symlinkSync('../elsewhere', damage.memory)
      }),
    says: "'memory' is not a file",
  },
  'a missing memory': {
    cause: (damage) => withOpenDirectory(damage, () => rmSync(damage.memory)),
    says: 'memory cannot be looked at (ENOENT)',
  },
  'a missing manifest': {
    cause: (damage) => withOpenDirectory(damage, () => rmSync(join(damage.directory, 'manifest.json'))),
    says: 'it has no manifest',
  },
  'a manifest that is not JSON': {
    cause: ({ directory }) => overwrite(join(directory, 'manifest.json'), '{"formatVersion": 1,'),
    says: 'its manifest is not JSON',
  },
  'a manifest without digests': {
    cause: (damage) => editManifest(damage, { files: undefined }),
    says: 'its manifest is not valid: files',
  },
  'a manifest of another format': {
    cause: (damage) => editManifest(damage, { formatVersion: 3 }),
    says: 'its manifest is not valid: formatVersion',
  },
  'the manifest of another template': {
    cause: (damage) => editManifest(damage, { key: '0'.repeat(64) }),
    says: 'its manifest is that of another',
  },
  'a file that may be written to': {
    cause: ({ memory }) => chmodSync(memory, 0o644),
    says: "'memory' has mode 0644 instead of 0444",
  },
  'a directory that may be written to': {
    cause: ({ directory }) => chmodSync(directory, 0o755),
    says: 'it has mode 0755 instead of 0555',
  },
  'a file that does not belong there': {
    cause: (damage) => withOpenDirectory(damage, () => writeFileSync(join(damage.directory, 'extra'), '')),
    says: "'extra' does not belong to it",
  },
  'a file in its place': {
    cause: ({ directory }) => {
      chmodSync(directory, 0o755)
      rmSync(directory, { recursive: true })
      writeFileSync(directory, '')
    },
    says: 'it is not a directory',
  },
  'an empty directory in its place': {
    cause: ({ directory }) => {
      chmodSync(directory, 0o755)
      rmSync(directory, { recursive: true })
      mkdirSync(directory)
    },
    says: 'it has mode 0755',
  },
}

const damageOf = (snapshot: Snapshot): Damage => ({ directory: Workshop.directoryOf(snapshot), memory: snapshot.hostMemoryPath })

test.each(Object.entries(damages))('%s is found, said, and mended by a build', async (_, { cause, says }) => {
  using workshop = new Workshop()
  const templates = workshop.templates()
  const snapshot = await workshop.snapshot({}, {}, templates)
  const whole = readFileSync(snapshot.hostMemoryPath)
  cause(damageOf(snapshot))
  await expect(templates.verify(snapshot)).rejects.toMatchObject({
    code: 'TEMPLATE_CORRUPT',
    retryable: true,
    message: expect.stringContaining(says),
  })
  const again = await workshop.snapshot({}, {}, templates)
  expect(workshop.hypervisor.guestsBooted).toBe(2)
  expect(again.digest).toBe(snapshot.digest)
  expect(readFileSync(again.hostMemoryPath).length).toBe(whole.length)
  await templates.verify(again)
  expect(workshop.left().filter((path) => /\.(new|old)\./.test(path))).toEqual([])
})

test('it is found without being looked for, by the same process and by the next', async () => {
  for (const same of [true, false]) {
    using workshop = new Workshop()
    const templates = workshop.templates()
    const snapshot = await workshop.snapshot({}, {}, templates)
    damages['a flipped byte']?.cause(damageOf(snapshot))
    await workshop.snapshot({}, {}, same ? templates : workshop.templates())
    expect(workshop.hypervisor.guestsBooted).toBe(2)
  }
})

test('one that has gone is corrupt for whoever holds it, and is built anew', async () => {
  using workshop = new Workshop()
  const templates = workshop.templates()
  const snapshot = await workshop.snapshot({}, {}, templates)
  await templates.remove('mine')
  await expect(templates.verify(snapshot)).rejects.toMatchObject({ code: 'TEMPLATE_CORRUPT', retryable: true })
  await workshop.snapshot({}, {}, templates)
  expect(workshop.hypervisor.guestsBooted).toBe(2)
})

test('when the places themselves have gone they are made anew', async () => {
  using workshop = new Workshop()
  const templates = workshop.templates()
  const snapshot = await workshop.snapshot({}, {}, templates)
  chmodSync(Workshop.directoryOf(snapshot), 0o700)
  for (const directory of ['memory', 'state']) rmSync(workshop.scratch.join(directory), { recursive: true })
  await expect(templates.verify(snapshot)).rejects.toMatchObject({ code: 'TEMPLATE_CORRUPT' })
  expect(await templates.list()).toEqual([])
  for (const directory of ['memory', 'state']) rmSync(workshop.scratch.join(directory), { recursive: true })
  await workshop.snapshot({}, {}, templates)
  expect(workshop.hypervisor.guestsBooted).toBe(2)
})

test('a clone that runs reads what it has mapped, whatever becomes of the template', async () => {
  using workshop = new Workshop()
  const snapshot = await workshop.snapshot()
  const before = readFileSync(snapshot.hostMemoryPath, 'utf8')
  const mapped = openSync(snapshot.hostMemoryPath, 'r')
  damages['a directory that may be written to']?.cause(damageOf(snapshot))
  await workshop.snapshot()
  const bytes = Buffer.alloc(before.length)
  readSync(mapped, bytes, 0, bytes.length, 0)
  closeSync(mapped)
  expect(bytes.toString()).toBe(before)
})

test('what a killed build has left is never used, and goes with the next build', async () => {
  using workshop = new Workshop()
  const snapshot = await workshop.snapshot()
  const place = dirname(Workshop.directoryOf(snapshot))
  await workshop.templates().remove('mine')
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').replaceAll('-', '').slice(0, 12)
  const left = join(place, `${snapshot.digest}.new.999999999-5-${boot}.abcdef01`)
  mkdirSync(left)
  writeFileSync(join(left, 'memory'), 'half')
  expect(await workshop.templates().list()).toEqual([])
  await workshop.snapshot()
  expect(workshop.hypervisor.guestsBooted).toBe(2)
  expect(existsSync(left)).toBe(false)
})
