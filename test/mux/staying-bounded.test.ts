import { describe, expect, it } from 'vitest'
import {
  FrameFlag,
  FrameType,
  frameBytesMax,
  MuxSession,
  type MuxStream,
  openStreamsMax,
  windowBytes,
} from '../../src/mux/index.ts'
import { memoryPair, socketPair } from './pipes.ts'
import { frameBytes, RawPeer } from './raw-peer.ts'

const { syn, rst } = FrameFlag
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('an unread stream', () => {
  it('is granted nothing beyond its window of 256 KiB', async () => {
    const [near, far] = await socketPair()
    let sent = 0
    const flood = async (stream: MuxStream): Promise<void> => {
      while (!stream.destroyed) {
        await new Promise<void>((resolve) => stream.write(Buffer.alloc(65_536), () => resolve()))
        sent += 65_536
      }
    }
    const flooder = new MuxSession(far, { role: 'server', onStream: (stream) => void flood(stream) })
    const session = new MuxSession(near, { role: 'client' })
    const stream = session.open()
    for (let turns = 0; turns < 200; turns++) await session.ping()
    // What the writer was told is gone: a window on the wire, and less than a frame that waits for credit.
    expect(sent).toBeGreaterThanOrEqual(windowBytes)
    expect(sent).toBeLessThanOrEqual(windowBytes + frameBytesMax)
    let received = 0
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    while (received < 4 * 1_048_576) await nextTurn()
    session.destroy()
    await flooder.ended
  })

  it('of one-byte frames costs about its bytes, not a hundred times as much', async () => {
    const [near] = memoryPair()
    const session = new MuxSession(near, { role: 'client' })
    const streams = Array.from({ length: 16 }, () => session.open())
    const frames = Buffer.concat(Array.from({ length: 4_096 }, () => frameBytes(FrameType.data, 0, 1, 1, Buffer.from('x'))))
    gcIfPossible()
    const before = process.memoryUsage()
    for (const stream of streams) {
      for (let part = 0; part < windowBytes / 4_096; part++) {
        for (let at = 0; at < frames.length; at += 13) frames.writeUInt32BE(stream.id, at + 4)
        near.emit('data', Buffer.from(frames))
      }
    }
    gcIfPossible()
    const after = process.memoryUsage()
    const held = after.heapUsed + after.external - before.heapUsed - before.external
    expect(held).toBeLessThan(16 * windowBytes * 4)
    expect(session.streamCount).toBe(16)
    session.destroy()
  })
})

it('a reader gets everything and the writer is held to the reader’s pace', async () => {
  const [near, far] = await socketPair()
  const total = 8 * 1_048_576
  let handedOver = 0
  const server = new MuxSession(far, {
    role: 'server',
    onStream: async (stream) => {
      for (let sent = 0; sent < total; sent += 65_536) {
        await new Promise<void>((resolve) => stream.write(Buffer.alloc(65_536, sent / 65_536), () => resolve()))
        handedOver = sent
      }
      stream.end()
    },
  })
  const session = new MuxSession(near, { role: 'client' })
  let received = 0
  let aheadMax = 0
  for await (const chunk of session.open()) {
    const bytes = chunk as Buffer
    expect(bytes[0]).toBe(Math.floor(received / 65_536) % 256)
    received += bytes.length
    aheadMax = Math.max(aheadMax, handedOver - received)
    await nextTurn()
  }
  expect(received).toBe(total)
  expect(aheadMax).toBeLessThanOrEqual(2 * windowBytes)
  session.destroy()
  await server.ended
})

it('a slow reader leaves a second stream its speed', async () => {
  const [near, far] = await socketPair()
  const server = new MuxSession(far, {
    role: 'server',
    onStream: (stream) => {
      const pump = (): void => {
        while (!stream.destroyed && stream.write(Buffer.alloc(65_536))) {}
      }
      stream.on('drain', pump)
      pump()
    },
  })
  const session = new MuxSession(near, { role: 'client' })
  const slow = session.open()
  const quick = session.open()
  let slowBytes = 0
  let quickBytes = 0
  slow.on('data', (chunk: Buffer) => {
    slowBytes += chunk.length
    slow.pause()
    setTimeout(() => slow.resume(), 20)
  })
  await new Promise<void>((resolve) => {
    quick.on('data', (chunk: Buffer) => {
      quickBytes += chunk.length
      if (quickBytes > 256 * 1_048_576) resolve()
    })
  })
  expect(slowBytes).toBeGreaterThan(0)
  expect(slowBytes).toBeLessThan(quickBytes / 8)
  session.destroy()
  await server.ended
})

it('without a taker every open is refused, and the session goes on', async () => {
  const [near, far] = await socketPair()
  const session = new MuxSession(near, { role: 'client' })
  const peer = new RawPeer(far)
  peer.data(2, 'hello', syn)
  peer.data(2, 'more')
  expect(await peer.saw((frame) => frame.streamId === 2)).toMatchObject({ flags: rst })
  expect(session.streamCount).toBe(0)
  peer.frame(FrameType.ping, syn, 0, 7)
  await peer.saw((frame) => frame.type === FrameType.ping && frame.length === 7)
})

it('the 257th own stream is a typed error, and a place is free again when one has ended', async () => {
  const [near, far] = memoryPair()
  far.resume()
  const session = new MuxSession(near, { role: 'client' })
  const streams = Array.from({ length: openStreamsMax.client }, () => session.open())
  expect(() => session.open()).toThrow(expect.objectContaining({ code: 'UNSUPPORTED', retryable: true }))
  streams[7]?.reset()
  expect(session.open().id).toBe(2 * openStreamsMax.client + 1)
})

it('256 MiB of writes towards a guest that does not read wait at their source', async () => {
  const [near] = await socketPair() // nobody reads the other end
  const session = new MuxSession(near, { role: 'client' })
  const stream = session.open()
  let accepted = 0
  const pump = async (): Promise<void> => {
    while (accepted < 256 * 1_048_576 && !stream.destroyed) {
      if (!stream.write(Buffer.alloc(65_536))) await new Promise<void>((resolve) => stream.once('drain', resolve))
      accepted += 65_536
    }
  }
  void pump()
  for (let turns = 0; turns < 100; turns++) await nextTurn()
  expect(accepted).toBeLessThanOrEqual(1_048_576)
  session.destroy()
})

function gcIfPossible(): void {
  ;(globalThis as { gc?: () => void }).gc?.()
}
