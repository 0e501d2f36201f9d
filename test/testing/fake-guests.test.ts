/** Fake guests can be met where real ones are: parked, warm, at each step of their making. */

import { existsSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { createFakePool, type FakeGuest, type FakeStep } from '../../src/testing/index.ts'
import { patiently } from '../pool/patiently.ts'

test('the steps of a guest are told in order, from its start to its files', async () => {
  const steps: [string, FakeStep | 'start'][] = []
  await using pool = createFakePool({
    onGuestStart: ({ id }) => void steps.push([id, 'start']),
    onGuestStep: ({ id }, step) => void steps.push([id, step]),
  })
  const { id } = await pool.createSandbox({ files: { a: 'b' } })
  expect(steps).toEqual((['start', 'load', 'Hello', 'WriteFile'] as const).map((step) => [id, step]))
})

test('guests that templates are built from are shown by their own hook, and nowhere else', async () => {
  const templates: FakeGuest[] = []
  const guests: FakeGuest[] = []
  await using pool = createFakePool({
    onTemplateStart: (guest) => void templates.push(guest),
    onGuestStart: (guest) => void guests.push(guest),
  })
  await pool.ready({ template: 'base' })
  expect(templates).toHaveLength(1)
  expect([guests, pool.guests, pool.guestsStarted]).toEqual([[], [], 0])
  expect(templates[0]?.alive).toBe(false)
})

test('one that hangs goes on hanging when its host wakes it', async () => {
  await using pool = createFakePool({ templates: { base: { warm: 1 } } })
  await pool.ready()
  const [guest] = pool.guests
  guest?.hang()
  expect((await pool.createSandbox()).id).not.toBe(guest?.id)
  expect(pool.stats().failures).toEqual({ wake: 1 })
})

test('files of a template are there in each clone, and each clone changes its own', async () => {
  await using pool = createFakePool({
    onTemplateStart: (guest) => void guest.files.set('/srv/shared', Buffer.from('of the template')),
  })
  const [a, b] = [await pool.createSandbox(), await pool.createSandbox({ files: { '/srv/shared': 'mine' } })]
  expect((await a.exec('cat /srv/shared')).stdout).toBe('of the template')
  expect((await b.exec('cat /srv/shared')).stdout).toBe('mine')
})

test('templates that were damaged are built anew', async () => {
  let builds = 0
  await using pool = createFakePool({ onTemplateStart: () => void builds++ })
  await pool.createSandbox()
  pool.damageTemplates()
  expect((await pool.createSandbox()).state).toBe('running')
  expect([builds, pool.stats().failures]).toEqual([2, { clone: 1, corrupt: 1 }])
})

test('what a pool keeps on the disk is gone when it is closed', async () => {
  const directories = (): Set<string> => new Set(readdirSync(tmpdir()).filter((name) => name.startsWith('warmcell-fake-')))
  const before = directories()
  const pool = createFakePool()
  await pool.createSandbox()
  const mine = [...directories()].filter((name) => !before.has(name))
  expect(mine.length).toBeGreaterThan(0)
  await pool.close()
  await patiently(() => mine.filter((name) => existsSync(`${tmpdir()}/${name}`)).length).toBeLessThan(mine.length)
})
