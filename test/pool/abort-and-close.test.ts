import { expect, test } from 'vitest'
import { createFakePool, type FakeGuest } from '../../src/testing/index.ts'
import { patiently } from './patiently.ts'

const hang = (guest: FakeGuest): void => guest.hang()
const nothing = { booting: 0, waiting: 0, assigned: 0 }

test('an abort before the call starts nothing', async () => {
  await using pool = createFakePool()
  await expect(pool.createSandbox({ signal: AbortSignal.abort('no') })).rejects.toBe('no')
  expect(pool.guestsStarted).toBe(0)
})

test('an abort during the boot leaves nothing, when the call rejects', async () => {
  await using pool = createFakePool({ onGuestStart: hang, budget: { sandboxes: 1 } })
  const abort = new AbortController()
  const creating = pool.createSandbox({ signal: abort.signal })
  await patiently(() => pool.guests.length).toBe(1)
  const reason = new Error('enough')
  abort.abort(reason)
  await expect(creating).rejects.toBe(reason)
  expect(pool.guests).toEqual([])
  expect(pool.stats()).toMatchObject({ ...nothing, bootFailures: 0 })
})

test('an abort in line takes nobody else with it', async () => {
  const guests: FakeGuest[] = []
  await using pool = createFakePool({
    makingsAtOnceMax: 1,
    onGuestStart: (guest) => (guests.push(guest) === 1 ? guest.hang() : undefined),
  })
  const [first, second] = [new AbortController(), new AbortController()]
  const one = pool.createSandbox({ signal: first.signal })
  const two = pool.createSandbox({ signal: second.signal })
  const three = pool.createSandbox()
  await patiently(() => pool.stats()).toMatchObject({ waiting: 3, booting: 1 })
  await patiently(() => guests.length).toBe(1)
  second.abort('two')
  await expect(two).rejects.toBe('two')
  expect(pool.stats()).toMatchObject({ waiting: 2, booting: 1 })
  first.abort('one')
  await expect(one).rejects.toBe('one')
  // What was being made is for whoever is next, not for the one who left.
  expect(pool.stats()).toMatchObject({ waiting: 1, booting: 1 })
  guests[0]?.resume()
  expect((await three).state).toBe('running')
  expect(pool.guestsStarted).toBe(1)
})

test('an abort while files are written leaves nothing', async () => {
  const abort = new AbortController()
  await using pool = createFakePool()
  const creating = pool.createSandbox({ signal: abort.signal, files: { big: Buffer.alloc(64 * 1_048_576) } })
  await patiently(() => pool.guests[0]?.identity !== undefined).toBe(true)
  pool.guests[0]?.hang()
  abort.abort('enough')
  await expect(creating).rejects.toBe('enough')
  expect(pool.guests).toEqual([])
  expect(pool.stats()).toMatchObject(nothing)
})

test('an abort after the sandbox was handed over is not heard', async () => {
  await using pool = createFakePool()
  const abort = new AbortController()
  const sandbox = await pool.createSandbox({ signal: abort.signal })
  abort.abort()
  expect((await sandbox.exec('echo still here')).stdout).toBe('still here\n')
})

test('closing ends every sandbox, and every later call says so', async () => {
  const pool = createFakePool()
  const sandboxes = await Promise.all([pool.createSandbox(), pool.createSandbox()])
  const running = sandboxes.map((sandbox) => sandbox.exec('sleep infinity').catch((error) => error))
  await pool.close()
  expect(pool.guests).toEqual([])
  for (const sandbox of sandboxes) {
    expect(sandbox.state).toBe('destroyed')
    await expect(sandbox.exec('true')).rejects.toMatchObject({ code: 'SANDBOX_GONE', reason: 'pool-closed' })
  }
  for (const failure of await Promise.all(running)) expect(failure).toMatchObject({ code: 'SANDBOX_GONE', reason: 'pool-closed' })
  await expect(pool.createSandbox()).rejects.toMatchObject({ code: 'POOL_CLOSED' })
  await Promise.all([pool.close(), pool.close({ mode: 'drain' }), pool[Symbol.asyncDispose]()])
})

test('closing during creates rejects them with POOL_CLOSED and resolves when nothing is left', async () => {
  const pool = createFakePool({ makingsAtOnceMax: 2, onGuestStart: hang })
  const creates = Array.from({ length: 5 }, () => pool.createSandbox().catch((error) => error))
  await patiently(() => pool.guests.length).toBe(2)
  await pool.close()
  expect(pool.guests).toEqual([])
  for (const failure of await Promise.all(creates)) expect(failure).toMatchObject({ code: 'POOL_CLOSED' })
  expect(pool.guestsStarted).toBe(2)
  expect(pool.stats()).toMatchObject(nothing)
})

test('closing while files are written waits until that microVM is gone', async () => {
  const pool = createFakePool()
  const creating = pool.createSandbox({ files: { big: Buffer.alloc(64 * 1_048_576) } }).catch((error) => error)
  await patiently(() => pool.guests[0]?.identity !== undefined).toBe(true)
  pool.guests[0]?.hang()
  await pool.close()
  expect(pool.guests).toEqual([])
  expect(await creating).toMatchObject({ code: 'POOL_CLOSED' })
})

test('drain takes nothing new, serves who is in line, and waits for who is out', async () => {
  const pool = createFakePool({ makingsAtOnceMax: 1 })
  const out = await pool.createSandbox()
  const inLine = pool.createSandbox()
  let closed = false
  const closing = pool.close({ mode: 'drain' }).then(() => {
    closed = true
  })
  await expect(pool.createSandbox()).rejects.toMatchObject({ code: 'POOL_CLOSED' })
  const late = await inLine
  expect((await late.exec('echo served')).stdout).toBe('served\n')
  await late.destroy()
  expect(closed).toBe(false)
  await out.destroy()
  await closing
  expect(pool.guests).toEqual([])
})

test('drain gives up waiting after its time, and destroys', async () => {
  const pool = createFakePool()
  const sandbox = await pool.createSandbox()
  await pool.close({ mode: 'drain', timeoutMs: 20 })
  expect(sandbox.state).toBe('destroyed')
})

test('a close that says destroy ends one that drains', async () => {
  const pool = createFakePool()
  await pool.createSandbox()
  const draining = pool.close({ mode: 'drain', timeoutMs: 2 ** 40 })
  await pool.close()
  await draining
  expect(pool.guests).toEqual([])
})

test('a close that cannot be meant is refused, and closes nothing', async () => {
  await using pool = createFakePool()
  await expect(pool.close({ mode: 'drian' as 'drain' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect((await pool.createSandbox()).state).toBe('running')
})
