/** What is stored can be listed, removed by name or digest, and cleared of what is out of date. */

import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { resolveTemplate, type Snapshot } from '../../src/template/index.ts'
import { image, Workshop } from './workshop.ts'

test('a list says what is stored, where, since when, and for how much', async () => {
  using workshop = new Workshop()
  const templates = workshop.templates()
  expect(await templates.list()).toEqual([])
  const two = await templates.snapshot(resolveTemplate('two', { env: { A: '2' } }))
  const one = await templates.snapshot(resolveTemplate('one', { env: { A: '1' } }))
  const list = await templates.list()
  expect(list.map(({ name, digest }) => [name, digest])).toEqual([
    ['one', one.digest],
    ['two', two.digest],
  ])
  expect(list[0]).toMatchObject({ state: 'ready', reason: '', sizeBytes: one.sizeBytes, createdAt: one.createdAt })
  expect(list[0]?.sizeBytes).toBeGreaterThan(0)
  // The file system's clock ticks in milliseconds of its own.
  expect(Math.abs(Number(list[0]?.usedAt) - Number(list[0]?.createdAt))).toBeLessThan(5_000)
})

test('one is removed by its name, or by the beginning of its digest, and no other', async () => {
  using workshop = new Workshop()
  const templates = workshop.templates()
  const one = await templates.snapshot(resolveTemplate('one', { env: { A: '1' } }))
  await templates.snapshot(resolveTemplate('one', { env: { A: '2' } }))
  const three = await templates.snapshot(resolveTemplate('three', { env: { A: '3' } }))
  expect(await templates.remove('thre')).toEqual([])
  expect(await templates.remove(three.digest.slice(0, 5))).toEqual([])
  expect((await templates.remove(three.digest.slice(0, 6))).map(({ name }) => name)).toEqual(['three'])
  expect((await templates.remove('one')).map(({ digest }) => digest)).toContain(one.digest)
  expect(await templates.list()).toEqual([])
  expect(workshop.left().filter((path) => !path.includes('memory'))).toEqual([])
})

test('one that was made with what is not here any more is stale, and pruned; the others stay', async () => {
  using workshop = new Workshop()
  const disk = Buffer.alloc(4_096)
  disk.set([0x53, 0xef], 1_080)
  const roots = ['gone.img', 'changed.img', 'kept.img'].map((name) =>
    workshop.scratch.file(name, Buffer.concat([disk, Buffer.from(name)])),
  )
  const old = workshop.templates({ image: { ...image, key: 'image-0' } })
  await old.snapshot(resolveTemplate('old', {}))
  const templates = workshop.templates()
  for (const hostPath of roots)
    await templates.snapshot(resolveTemplate(hostPath.split('/').at(-1) as string, { root: { hostPath } }))
  rmSync(workshop.scratch.join('gone.img'))
  workshop.scratch.file('changed.img', disk)
  const reasons = (await templates.list()).map(({ name, state, reason }) => [name, state, reason])
  expect(reasons).toEqual([
    ['changed.img', 'stale', expect.stringContaining('has changed')],
    ['gone.img', 'stale', expect.stringContaining('is not there any more')],
    ['kept.img', 'ready', ''],
    ['old', 'stale', 'its guest image was image-0, and is image-1'],
  ])
  expect((await templates.prune()).map(({ name }) => name)).toEqual(['changed.img', 'gone.img', 'old'])
  expect((await templates.list()).map(({ name }) => name)).toEqual(['kept.img'])
  expect((await templates.prune({ all: true })).length).toBe(1)
})

test('what cannot be read, and what the dead have left, is pruned; what is being built is not', async () => {
  using workshop = new Workshop({ slow: ({ signal }) => delay(300, 0, { signal }) })
  const templates = workshop.templates()
  const snapshot = await templates.snapshot(resolveTemplate('one', {}))
  const directory = Workshop.directoryOf(snapshot)
  chmodSync(directory, 0o755)
  rmSync(join(directory, 'manifest.json'))
  const dead = join(dirname(directory), `${'a'.repeat(64)}.old.999999999-5-000000000000.abcdef01`)
  mkdirSync(dead, { mode: 0o555 })
  const building = templates.snapshot(resolveTemplate('two', { setup: ['slow'] }))
  await delay(100)
  expect(await templates.prune()).toMatchObject([{ digest: snapshot.digest, state: 'corrupt', reason: 'it has no manifest' }])
  expect(workshop.left().filter((path) => path.includes('.old.'))).toEqual([])
  await building
  expect((await templates.list()).map(({ name }) => name)).toEqual(['two'])
})

test('one that nobody has asked for in a while goes when that is wished', async () => {
  using workshop = new Workshop()
  const templates = workshop.templates()
  await templates.snapshot(resolveTemplate('one', {}))
  expect(await templates.prune({ unusedForMs: 60_000 })).toEqual([])
  await delay(30)
  expect((await templates.prune({ unusedForMs: 10 })).map(({ name }) => name)).toEqual(['one'])
})

test('strange things beside the templates are left alone', async () => {
  using workshop = new Workshop()
  const templates = workshop.templates()
  const snapshot = await templates.snapshot(resolveTemplate('one', {}))
  const strange = join(dirname(Workshop.directoryOf(snapshot)), 'notes.txt')
  writeFileSync(strange, 'mine')
  await templates.prune({ all: true })
  expect(workshop.left().some((path) => path.endsWith('notes.txt'))).toBe(true)
})

test('what a state directory that is gone has left in memory is pruned by the next', async () => {
  using workshop = new Workshop()
  const gone = workshop.scratch.join('gone')
  const kept = workshop.scratch.join('kept')
  const [orphan, other] = await Promise.all(
    [gone, kept].map((stateDirectory) => workshop.snapshot({}, {}, workshop.templates({ stateDirectory }))),
  )
  rmSync(gone, { recursive: true })
  await workshop.templates().prune()
  expect(existsSync(dirname(Workshop.directoryOf(orphan as Snapshot)))).toBe(false)
  expect(existsSync((other as Snapshot).hostMemoryPath)).toBe(true)
})
