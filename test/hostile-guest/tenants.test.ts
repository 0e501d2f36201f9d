/** Two tenants who come and go at the same time have nothing in common: no guest, no name, no file, no word of each other. */

import { expect, test } from 'vitest'
import type { Sandbox } from '../../src/index.ts'
import { createFakePool, type FakeGuest, type FakeProgram } from '../../src/testing/index.ts'

const count = 200

/** All that a sandbox shows of itself, its guest and what is in it. */
async function everythingOf(sandbox: Sandbox, guest: FakeGuest): Promise<string> {
  const { stdout } = await sandbox.exec(['show'])
  const files = [...guest.files].map(([path, data]) => [path, Buffer.from(data).toString()])
  return JSON.stringify([sandbox.info(), files, stdout, guest.consoleText, await sandbox.files.list('/', { depth: 8 })])
}

/** Says all that a program is told. */
const show: FakeProgram = async ({ argv, env, cwd, user, files, stdout }) => {
  await stdout.write(JSON.stringify([argv, env, cwd, user, [...files.keys()]]))
  return 0
}

/** Leaves the canary wherever a tenant can leave something. */
async function leave(sandbox: Sandbox, canary: string): Promise<void> {
  await sandbox.files.write(`/srv/${canary}`, canary)
  expect((await sandbox.exec('cat; echo $CANARY', { stdin: canary })).stdout).toBe(`${canary}${canary}\n`)
}

test('200 interleaved sandboxes of two tenants: no two share a guest or a name, and what one leaves is found in no other', async () => {
  await using pool = createFakePool({
    templates: { base: { warm: 4 } },
    budget: { sandboxes: 24 },
    programs: { show },
  })
  await pool.ready()
  const guests = new Map<string, FakeGuest>()
  const names: string[] = []
  const seen: string[] = []
  const serve = async (index: number): Promise<void> => {
    const tenant = index % 2 === 0 ? 'alice' : 'bob'
    const canary = `canary-${tenant}-${index}-`
    await using sandbox = await pool.createSandbox({
      tenant,
      env: { CANARY: canary },
      metadata: { canary },
      files: { [`/home/user/${canary}`]: canary },
    })
    const guest = pool.guestOf(sandbox)
    expect(guests.has(sandbox.id)).toBe(false)
    expect([...guests.values()]).not.toContain(guest)
    guests.set(sandbox.id, guest)
    const { hostname, machineId, generationId, entropy } = guest.identity ?? expect.unreachable('it was not greeted')
    names.push(hostname, machineId, String(generationId), Buffer.from(entropy).toString('hex'))
    await leave(sandbox, canary)
    const everything = await everythingOf(sandbox, guest)
    expect(everything.split(canary).length).toBeGreaterThan(4)
    seen.push(everything.replaceAll(canary, ''))
  }
  await Promise.all(Array.from({ length: count }, (_, index) => serve(index)))
  expect(guests.size).toBe(count)
  expect(new Set(names).size).toBe(count * 4)
  // With its own taken out, no sandbox has seen anybody's.
  expect(seen.filter((everything) => everything.includes('canary-'))).toEqual([])
  expect([...guests.values()].filter(({ alive }) => alive)).toEqual([])
  expect(pool.stats()).toMatchObject({ assigned: 0, waiting: 0, byTenant: {} })
}, 60_000)

test('a used microVM is never given out again, not even to the same tenant, however its sandbox ended', async () => {
  await using pool = createFakePool({ templates: { base: { warm: 3 } }, budget: { sandboxes: 6 } })
  const served = new Set<FakeGuest>()
  const ends: Array<(sandbox: Sandbox, guest: FakeGuest) => unknown> = [
    (sandbox) => sandbox.destroy(),
    (_, guest) => guest.crash(),
    (_, guest) => guest.sendRaw(Buffer.from('no frame, but thirteen bytes')),
    (sandbox) => sandbox.extendTimeout(1),
  ]
  for (let turn = 0; turn < 60; turn++) {
    const sandbox = await pool.createSandbox({ tenant: 'same' })
    const guest = pool.guestOf(sandbox)
    expect(served.has(guest)).toBe(false)
    served.add(guest)
    expect(guest.files.has('/used')).toBe(false)
    guest.files.set('/used', Buffer.from('used'))
    const ended = new Promise((resolve) => sandbox.once('destroyed', resolve))
    await ends[turn % ends.length]?.(sandbox, guest)
    await ended
    expect(guest.alive).toBe(false)
  }
  expect(new Set([...served].map(({ identity }) => identity?.generationId)).size).toBe(60)
}, 60_000)
