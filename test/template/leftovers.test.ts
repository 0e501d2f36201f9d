/** What killed builders have left is found and removed by whoever clears up, and nothing that is under way or in use. */

import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { ownIdentity, sweep } from '../../src/host/index.ts'
import { identityText } from '../../src/host/process-identity.ts'
import { orphanPlaceSweeper, templateSweeper } from '../../src/template/index.ts'
import { Workshop } from './workshop.ts'

const key = 'ab'.repeat(32)

async function owners(): Promise<{ gone: string; here: string }> {
  const own = await ownIdentity()
  return { gone: identityText({ ...own, pid: 999_999_999 }), here: identityText(own) }
}

/** As a killed build leaves it, or a killed removal: sealed. */
function draft(hostPlacePath: string, purpose: string, owner: string): string {
  const hostPath = join(hostPlacePath, `${key}.${purpose}.${owner}.01234567`)
  mkdirSync(hostPath, { mode: 0o700 })
  writeFileSync(join(hostPath, 'memory'), 'half')
  chmodSync(hostPath, 0o555)
  return hostPath
}

test('drafts in memory and on the disk, and tickets, go with their owners; templates and what is under way stay', async () => {
  using workshop = new Workshop()
  const state = workshop.scratch.join('state')
  const snapshot = await workshop.snapshot()
  const { gone, here } = await owners()
  const places = [dirname(Workshop.directoryOf(snapshot)), join(state, 'templates')]
  const goes = places.flatMap((place) => [draft(place, 'new', gone), draft(place, 'old', gone)])
  const stays = [draft(places[0] as string, 'new', here), join(state, `templates/locks/x.1.${here}.0123456789ab`)]
  const tickets = [join(state, `templates/locks/x.1.${gone}.0123456789ab`)]
  for (const ticket of [...tickets, stays[1] as string]) writeFileSync(ticket, '')
  // Two at once: each thing is removed by one of them.
  const reports = await Promise.all([sweep([templateSweeper(state)]), sweep([templateSweeper(state)])])
  const removed = reports.flatMap((report) => report.removed.map(({ name }) => name))
  expect(removed.sort()).toEqual([...goes, ...tickets].sort())
  expect(reports.flatMap(({ left, failures }) => [...left, ...failures])).toEqual([])
  for (const hostPath of stays) expect(existsSync(hostPath)).toBe(true)
  expect(places.flatMap((place) => readdirSync(place)).filter((name) => /\.(new|old)\./.test(name))).toHaveLength(1)
  await workshop.snapshot()
  expect(workshop.hypervisor.guestsBooted).toBe(1)
})

test('a removal that is killed as well is found again', async () => {
  using workshop = new Workshop()
  const snapshot = await workshop.snapshot()
  const place = dirname(Workshop.directoryOf(snapshot))
  const { gone } = await owners()
  // The name that a reaper gives it before it removes it.
  draft(place, 'old', gone)
  expect((await sweep([templateSweeper(workshop.scratch.join('state'))])).removed).toHaveLength(1)
})

test('nothing is believed of a place that others may use, and nothing is made', async () => {
  using workshop = new Workshop()
  const state = workshop.scratch.join('state')
  expect(await sweep([templateSweeper(state), orphanPlaceSweeper(state)])).toEqual({ removed: [], left: [], failures: [] })
  expect(readdirSync(workshop.scratch.hostPath)).toEqual([])
  const snapshot = await workshop.snapshot()
  const place = dirname(Workshop.directoryOf(snapshot))
  const { gone } = await owners()
  const hostPath = draft(place, 'new', gone)
  chmodSync(place, 0o777)
  expect((await sweep([templateSweeper(state)])).removed).toEqual([])
  expect(existsSync(hostPath)).toBe(true)
})

test('a place in memory goes when its state directory has gone, and no other', async () => {
  using workshop = new Workshop()
  const snapshot = await workshop.snapshot()
  const place = dirname(Workshop.directoryOf(snapshot))
  const elsewhere = orphanPlaceSweeper(workshop.scratch.join('elsewhere'))
  expect((await sweep([elsewhere])).removed).toEqual([])
  rmSync(workshop.scratch.join('state'), { recursive: true })
  expect((await sweep([elsewhere])).removed).toEqual([{ kind: 'place', name: place }])
  expect(existsSync(place)).toBe(false)
})
