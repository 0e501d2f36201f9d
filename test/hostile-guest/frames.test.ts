/** What is no frame, says too much, comes too slowly or is cut off ends its own connection, at once and cheaply. */

import { expect, it } from 'vitest'
import { FrameType, MuxSession } from '../../src/mux/index.ts'
import { createFakePool } from '../../src/testing/index.ts'
import { memoryPair } from '../mux/pipes.ts'
import { frameBytes } from '../mux/raw-peer.ts'
import { everyCall } from '../support/calls.ts'
import { rawGuest, startedProcess } from '../support/hostile-guest.ts'
import { collectGarbage, growth, mib } from '../support/memory.ts'
import { cpuMs, quickest } from '../support/meter.ts'

it('64 MiB of garbage: a typed error within 1 s, and at most 8 MiB more memory', async () => {
  const guest = await rawGuest()
  const process = await startedProcess(guest)
  const { pipe } = guest.peer
  const garbage = Buffer.alloc(mib)
  for (let at = 0; at < garbage.length; at++) garbage[at] = (at * 7 + 13) % 251
  let left = 64
  const pump = (): void => {
    while (left-- > 0) if (!pipe.write(garbage)) return
  }
  collectGarbage()
  const startedAt = performance.now()
  const grown = await growth(async () => {
    pipe.on('drain', pump)
    pump()
    await expect(process.exited).rejects.toMatchObject({ code: 'PROTOCOL', hint: expect.stringContaining('new one') })
    expect(performance.now() - startedAt).toBeLessThan(1_000)
    await guest.peer.sawClose()
  })
  expect(grown).toBeLessThanOrEqual(8 * mib)
})

it('a length of 0xFFFFFFFF is refused from the header: not a byte of it is awaited, and nothing is set aside for it', async () => {
  const guest = await rawGuest()
  await startedProcess(guest)
  collectGarbage()
  const grown = await growth(async () => {
    guest.peer.frame(FrameType.data, 0, 3, 0xffff_ffff)
    expect(await guest.connection.ended).toMatchObject({ code: 'PROTOCOL', message: expect.stringContaining('4294967295 bytes') })
  })
  expect(grown).toBeLessThanOrEqual(8 * mib)
})

it('a frame fed byte by byte ends the connection after 5 s, however steadily it comes', async () => {
  const guest = await rawGuest()
  await startedProcess(guest)
  const startedAt = performance.now()
  guest.peer.frame(FrameType.data, 0, 3, 1_000)
  const dripping = setInterval(() => guest.peer.pipe.write('x'), 100)
  const error = await guest.connection.ended
  clearInterval(dripping)
  expect(error).toMatchObject({ code: 'PROTOCOL', message: expect.stringContaining('5000 ms') })
  expect(performance.now() - startedAt).toBeGreaterThan(4_900)
  expect(performance.now() - startedAt).toBeLessThan(7_000)
})

it('4 MiB in writes of one byte cost at most 1 s of processor time, up to whoever reads them', async () => {
  const [near, far] = memoryPair()
  far.resume()
  const session = new MuxSession(near, { role: 'client' })
  const body = Buffer.alloc(65_536, 1)
  const bytes = Array.from(frameBytes(FrameType.data, 0, 1, body.length, body), (byte) => Buffer.of(byte))
  const reader = session.open()[Symbol.asyncIterator]()
  const spentMs = await quickest(1_000, () =>
    cpuMs(async () => {
      for (let frame = 0; frame < 64; frame++) {
        for (const byte of bytes) near.emit('data', byte)
        for (let left = body.length; left > 0; ) left -= ((await reader.next()).value as Buffer).length
      }
    }),
  )
  expect(spentMs).toBeLessThanOrEqual(1_000)
  session.destroy()
})

it('half a frame, then the end: every call of every kind rejects within 100 ms', async () => {
  const tookMs = await quickest(100, async () => {
    const guest = await rawGuest()
    const process = await startedProcess(guest)
    const calls = everyCall(guest.connection)
    const signalled = process.signal(9)
    signalled.catch(() => {})
    // All of them are under way: a ping takes no stream, a start takes three, one at a terminal two.
    await guest.peer.saw(({ streamId }) => streamId === 5 + 2 * (calls.size + 2))
    const startedAt = performance.now()
    guest.peer.frame(FrameType.data, 0, 3, 1_000, Buffer.alloc(500))
    guest.peer.pipe.end()
    for (const [name, call] of [...calls, ['exit', process.exited], ['signal', signalled]] as const)
      await expect(call, name).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE', retryable: true })
    return performance.now() - startedAt
  })
  expect(tookMs).toBeLessThanOrEqual(100)
})

it('half a frame, then the end: all that a tenant has under way rejects with SANDBOX_GONE within 100 ms', async () => {
  const tookMs = await quickest(100, async () => {
    await using pool = createFakePool()
    const sandbox = await pool.createSandbox()
    const guest = pool.guestOf(sandbox)
    const [process, pty] = await Promise.all([sandbox.spawn('sleep infinity'), sandbox.pty.create()])
    const calls = [process.wait(), pty.wait(), sandbox.exec('sleep infinity'), sandbox.ports.waitFor(80)]
    calls.push(sandbox.files.watch('/')[Symbol.asyncIterator]().next() as Promise<never>)
    for (const call of calls) call.catch(() => {})
    await expect.poll(() => guest.processesStarted).toBe(3)
    const startedAt = performance.now()
    guest.sendRaw(frameBytes(FrameType.data, 0, 3, 1_000, Buffer.alloc(500)))
    guest.crash()
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'SANDBOX_GONE', reason: 'crash' })
    return performance.now() - startedAt
  })
  expect(tookMs).toBeLessThanOrEqual(100)
})
