/** Ids, credit and the number of streams are the host's to say: who plays with them loses their own sandbox, settles nothing, and holds nothing. */

import { describe, expect, it, test } from 'vitest'
import { encodeMessage } from '../../src/agent/index.ts'
import { FrameFlag, FrameType, MuxSession, openStreamsMax, windowBytes } from '../../src/mux/index.ts'
import { createFakePool } from '../../src/testing/index.ts'
import { socketPair } from '../mux/pipes.ts'
import { frameBytes, RawPeer } from '../mux/raw-peer.ts'
import { everyCall } from '../support/calls.ts'
import { rawGuest, startedProcess } from '../support/hostile-guest.ts'
import { collectGarbage, growth, mib } from '../support/memory.ts'

const { syn, ack, fin, rst } = FrameFlag
const done = encodeMessage({ type: 'Done' })
const measured = { cpuUs: 1, memoryBytes: 2, memoryMaxBytes: 3, diskBytes: 4, diskMaxBytes: 5, processes: 6, oomKills: 7 }

/** Resolves when the host has read everything that was sent to it. */
async function answered(peer: RawPeer): Promise<void> {
  peer.frame(FrameType.ping, syn, 0, 5)
  await peer.saw(({ type, flags, length }) => type === FrameType.ping && flags === ack && length === 5)
}

describe('wrong, repeated and late ids settle nothing', () => {
  it('an answer on the stream of a call that was given up is nobody’s', async () => {
    const { connection, peer } = await rawGuest()
    const controller = new AbortController()
    const givenUp = connection.limits.measure({ signal: controller.signal })
    const waiting = connection.limits.measure()
    await peer.saw(({ streamId }) => streamId === 3)
    controller.abort('given up')
    await expect(givenUp).rejects.toBe('given up')
    await peer.saw(({ streamId, flags }) => streamId === 1 && (flags & rst) !== 0)
    // Late: to the one that is gone. Then once more, and with every way to end it.
    for (const flags of [0, ack, fin, rst]) peer.data(1, encodeMessage({ type: 'Measured', ...measured, cpuUs: 99 }), flags)
    peer.data(3, encodeMessage({ type: 'Measured', ...measured }), fin)
    expect(await waiting).toEqual(measured)
  })

  it('an answer given twice is the first one, and nobody else’s', async () => {
    const { connection, peer } = await rawGuest()
    const first = connection.limits.measure()
    const second = connection.files.makeDirectory('/a', { user: 'root' })
    let settled = false
    const third = connection.ports.await(80).finally(() => {
      settled = true
    })
    await peer.saw(({ streamId }) => streamId === 5)
    peer.data(1, Buffer.concat([1, 2, 3].map((cpuUs) => encodeMessage({ type: 'Measured', ...measured, cpuUs }))), fin)
    peer.data(3, Buffer.concat([done, done, done]), fin)
    expect(await first).toMatchObject({ cpuUs: 1 })
    await second
    await answered(peer)
    expect(settled).toBe(false)
    peer.data(5, done, fin)
    await third
  })

  it.each([
    ['of its own parity', 2],
    ['beyond the last', 4_097],
    ['at the end of all', 0xffff_ffff],
    ['of no stream', 0],
  ])('an answer on an id %s settles no call, and ends the connection', async (_name, id) => {
    const { connection, peer } = await rawGuest()
    const calls = everyCall(connection)
    await peer.saw(({ streamId }) => streamId === 41)
    peer.data(id, done, fin)
    for (const [name, call] of calls) await expect(call, name).rejects.toMatchObject({ code: 'PROTOCOL' })
  })

  it('an answer to a ping that was not sent, and one that comes twice', async () => {
    const { connection, peer } = await rawGuest()
    let settled = 0
    const [first, second] = [0, 1].map(() => connection.ping().finally(() => settled++))
    await peer.saw(({ type, length }) => type === FrameType.ping && length === 1)
    for (const value of [2, 77, 0xffff_ffff]) peer.frame(FrameType.ping, ack, 0, value)
    peer.frame(FrameType.ping, ack, 0, 0)
    peer.frame(FrameType.ping, ack, 0, 0)
    await first
    await answered(peer)
    expect(settled).toBe(1)
    peer.frame(FrameType.ping, ack, 0, 1)
    await second
  })
})

/** The stdout of the first process of a fake sandbox: after the handshake (1) and the control stream (3). */
const stdoutId = 5

describe('ends its own sandbox, and no other:', () => {
  test.each<[string, Uint8Array]>([
    [
      'one byte over the credit',
      Buffer.concat([
        frameBytes(0, 0, stdoutId, windowBytes, Buffer.alloc(windowBytes)),
        frameBytes(0, 0, stdoutId, 1, Buffer.of(1)),
      ]),
    ],
    ['one byte over the credit, announced', frameBytes(0, 0, stdoutId, windowBytes + 1)],
    ['a stream id used again', Buffer.concat([frameBytes(1, syn, 2, 0), frameBytes(1, rst, 2, 0), frameBytes(1, syn, 2, 0)])],
    ['a stream id of the host’s', frameBytes(1, syn, stdoutId, 0)],
    ['a window beyond 2^31 - 1', frameBytes(1, 0, stdoutId, 0x7fff_ffff)],
    ['what is no frame at all', Buffer.from('HTTP/1.1 200 OK\r\n\r\n')],
  ])('%s', async (_name, bytes) => {
    await using pool = createFakePool()
    const [bad, good] = await Promise.all([pool.createSandbox(), pool.createSandbox()])
    await using unread = await bad.spawn('sleep infinity')
    await using beside = await good.spawn('cat', { stdin: 'pipe' })
    // That it is the right stream: what comes on it is what the process prints.
    pool.guestOf(bad).sendRaw(frameBytes(0, 0, stdoutId, 2, Buffer.from('hi')))
    pool.guestOf(bad).sendRaw(bytes)
    await expect(unread.wait()).rejects.toMatchObject({ code: 'SANDBOX_GONE', reason: 'crash', cause: { code: 'PROTOCOL' } })
    expect(bad.state).toBe('crashed')
    await beside.stdin.getWriter().close()
    expect(await beside.wait()).toMatchObject({ exitCode: 0 })
    expect(await good.exec('echo fine')).toMatchObject({ stdout: 'fine\n' })
    expect(pool.guests.map(({ id }) => id)).toEqual([good.id])
  })
})

describe('10,000 opens', () => {
  const openAll = (peer: RawPeer): void => {
    for (let id = 2; id <= 20_000; id += 2) peer.frame(FrameType.window, syn, id, 0)
  }

  it('are capped at 256: the others are refused, and the session goes on', async () => {
    const [near, far] = await socketPair()
    let opened = 0
    const session = new MuxSession(near, { role: 'client', onStream: () => void opened++ })
    const peer = new RawPeer(far)
    openAll(peer)
    await peer.saw((frame) => frame.streamId === 20_000)
    expect(openStreamsMax.server).toBe(256)
    expect(opened).toBe(256)
    expect(session.streamCount).toBe(256)
    expect(peer.frames.filter((frame) => (frame.flags & rst) !== 0)).toHaveLength(10_000 - 256)
    session.destroy()
  })

  it('are all refused by a host, which has no use for them: it goes on, and grows by at most 8 MiB', async () => {
    const guest = await rawGuest()
    const process = await startedProcess(guest)
    collectGarbage()
    const grown = await growth(async () => {
      openAll(guest.peer)
      await guest.peer.saw((frame) => frame.streamId === 20_000)
    })
    expect(guest.peer.frames.filter(({ flags, streamId }) => (flags & rst) !== 0 && streamId % 2 === 0)).toHaveLength(10_000)
    expect(grown).toBeLessThanOrEqual(8 * mib)
    guest.peer.data(1, encodeMessage({ type: 'Exited', exitCode: 3, signal: 0, oomKilled: 0 }))
    expect(await process.exited).toMatchObject({ exitCode: 3 })
  })
})
