/** A pool that closes serves or tells everybody, and leaves nothing. */

import { expect, test } from 'vitest'
import { createFakePool, type FakeGuest } from '../../src/testing/index.ts'
import { patiently } from './patiently.ts'

const hang = (guest: FakeGuest): void => guest.hang()

test('destroy tells everybody who waits, and ends stock, what is parked and what is in the making', async () => {
  const pool = createFakePool({ templates: { base: { warm: 2 } }, budget: { sandboxes: 3 } })
  await patiently(() => pool.stats()).toMatchObject({ warm: 2, parked: 2 })
  const out = await Promise.all([pool.createSandbox(), pool.createSandbox(), pool.createSandbox()])
  const waiting = Array.from({ length: 5 }, () => pool.createSandbox().catch((error: unknown) => error))
  await patiently(() => pool.stats().waiting).toBe(5)
  await pool.close()
  for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ code: 'POOL_CLOSED' })
  expect(out.map(({ state }) => state)).toEqual(['destroyed', 'destroyed', 'destroyed'])
  expect(pool.guests).toEqual([])
  expect(pool.stats()).toMatchObject({ warm: 0, parked: 0, booting: 0, assigned: 0, waiting: 0 })
})

test('drain serves everybody who stands in line, keeps no stock, and takes nothing new', async () => {
  const pool = createFakePool({ templates: { base: { warm: 2 }, other: { warm: 1 } }, budget: { sandboxes: 3 } })
  await pool.ready()
  const out = await pool.createSandbox()
  const creates = Array.from({ length: 6 }, async () => {
    const sandbox = await pool.createSandbox()
    await sandbox.exec('true')
    await sandbox.destroy()
    return sandbox
  })
  const closing = pool.close({ mode: 'drain' })
  for (const call of [pool.createSandbox(), pool.ready(), pool.resize('base', 1), pool.updateTemplate('x', {})])
    await expect(call).rejects.toMatchObject({ code: 'POOL_CLOSED' })
  await Promise.all(creates)
  expect(pool.stats()).toMatchObject({ warm: 0, parked: 0, assigned: 1 })
  await out.destroy()
  await closing
  expect(pool.guests).toEqual([])
})

test('destroy ends a drain that waits for who waits', async () => {
  const pool = createFakePool({ onGuestStart: hang })
  const creating = pool.createSandbox().catch((error: unknown) => error)
  await patiently(() => pool.guests.length).toBe(1)
  const draining = pool.close({ mode: 'drain' })
  await pool.close()
  await draining
  expect(await creating).toMatchObject({ code: 'POOL_CLOSED' })
  expect(pool.guests).toEqual([])
})

test.each(['build', 'clone', 'exercise', 'update'])('closing in the middle of a %s leaves nothing', async (what) => {
  const pool = createFakePool({
    templates: { base: { warm: 1 } },
    ...(what === 'build' && { onTemplateStart: hang }),
    ...(what === 'clone' && { onGuestStart: hang }),
    ...(what === 'exercise' && { onGuestStep: (guest, step) => (step === 'Start' ? guest.hang() : undefined) }),
  })
  if (what === 'build') await new Promise((resolve) => setTimeout(resolve, 20))
  else await patiently(() => pool.guests.length).toBeGreaterThan(0)
  const updating = what === 'update' ? pool.updateTemplate('base', { setup: ['x'] }).catch((error: unknown) => error) : undefined
  await pool.close()
  if (updating !== undefined) expect(await updating).toMatchObject({ code: 'POOL_CLOSED' })
  expect(pool.guests).toEqual([])
})
