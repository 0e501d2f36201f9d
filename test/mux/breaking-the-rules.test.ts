import { describe, expect, it } from 'vitest'
import { FrameFlag, FrameType, MuxSession, windowBytes } from '../../src/mux/index.ts'
import { socketPair } from './pipes.ts'
import { frameBytes, RawPeer } from './raw-peer.ts'

const { syn, ack, fin, rst } = FrameFlag

/** A client session whose other side is played by the test. */
async function hostile(): Promise<{ session: MuxSession; peer: RawPeer }> {
  const [near, far] = await socketPair()
  return { session: new MuxSession(near, { role: 'client', onStream: (stream) => void stream.resume() }), peer: new RawPeer(far) }
}

describe('a broken rule ends the session with PROTOCOL and go away 1', () => {
  const rules: Array<[string, (peer: RawPeer) => void]> = [
    ['an id opened that is the host’s to give', (peer) => peer.frame(FrameType.window, syn, 3, 0)],
    [
      'an id opened that is alive',
      (peer) => {
        peer.frame(FrameType.window, syn, 2, 0)
        peer.frame(FrameType.window, syn, 2, 0)
      },
    ],
    [
      'an id opened that is lower than the last',
      (peer) => {
        peer.frame(FrameType.window, syn, 8, 0)
        peer.frame(FrameType.window, syn, 6, 0)
      },
    ],
    [
      'an id opened again after it was reset',
      (peer) => {
        peer.frame(FrameType.window, syn | rst, 2, 0)
        peer.frame(FrameType.window, syn, 2, 0)
      },
    ],
    ['data for an id that was never opened', (peer) => peer.data(77, 'x')],
    ['data for stream 0', (peer) => peer.frame(FrameType.data, 0, 0, 0)],
    ['a ping on a stream', (peer) => peer.frame(FrameType.ping, syn, 1, 0)],
    [
      'one byte over the credit',
      (peer) => {
        for (let sent = 0; sent < windowBytes; sent += 65_536) peer.data(1, Buffer.alloc(65_536))
        peer.data(1, 'x')
      },
    ],
    [
      'a window raised above 2^31 - 1',
      (peer) => {
        peer.frame(FrameType.window, 0, 1, 2_147_483_647 - windowBytes)
        peer.frame(FrameType.window, 0, 1, 1)
      },
    ],
    [
      'data after the end',
      (peer) => {
        peer.data(1, 'x', fin)
        peer.data(1, 'y')
      },
    ],
    ['answers asked for and never read', (peer) => peer.pipe.pause() && flood(peer)],
  ]
  it.each(rules)('%s', async (_name, breakIt) => {
    const { session, peer } = await hostile()
    const stream = session.open() // stream 1, never read
    await peer.saw((frame) => frame.streamId === 1)
    breakIt(peer)
    const error = await session.ended
    expect(error?.code).toBe('PROTOCOL')
    expect(stream.errored).toBe(error)
    expect(() => session.open()).toThrow(error)
    await expect(session.ping()).rejects.toBe(error)
    peer.pipe.resume()
    await peer.sawClose()
    if (_name !== 'answers asked for and never read')
      expect(peer.frames.at(-1)).toMatchObject({ type: FrameType.goAway, length: 1 })
  })

  function flood(peer: RawPeer): void {
    for (let asked = 0; asked < 100_000; asked++) peer.frame(FrameType.ping, syn, 0, asked)
  }
})

it('more than is left of the credit is refused from the header', async () => {
  const { session, peer } = await hostile()
  session.open()
  await peer.saw((frame) => frame.streamId === 1)
  peer.data(1, Buffer.alloc(10))
  peer.frame(FrameType.data, 0, 1, windowBytes - 9)
  expect(await session.ended).toMatchObject({ code: 'PROTOCOL' })
})

it('a stream that had ended in order before the broken rule of the same piece has ended in order', async () => {
  const { session, peer } = await hostile()
  const stream = session.open()
  stream.end()
  await peer.saw((frame) => frame.streamId === 1 && (frame.flags & fin) !== 0)
  peer.pipe.write(
    Buffer.concat([frameBytes(FrameType.data, fin, 1, 4, Buffer.from('last')), frameBytes(FrameType.data, 0, 77, 0)]),
  )
  const received: Buffer[] = []
  for await (const chunk of stream) received.push(chunk)
  expect(Buffer.concat(received).toString()).toBe('last')
  expect(await session.ended).toMatchObject({ code: 'PROTOCOL' })
})

it.each([0, 1, 2])('go away %i is GUEST_UNREACHABLE', async (code) => {
  const { session, peer } = await hostile()
  peer.frame(FrameType.goAway, 0, 0, code)
  expect(await session.ended).toMatchObject({ code: 'GUEST_UNREACHABLE', message: expect.stringContaining(`go away ${code}`) })
})

it('late frames for a stream that was reset are dropped, and settle nothing', async () => {
  const { session, peer } = await hostile()
  const stream = session.open()
  const other = session.open()
  await peer.saw((frame) => frame.streamId === 3)
  stream.reset()
  await peer.saw((frame) => frame.streamId === 1 && (frame.flags & rst) !== 0)
  peer.data(1, 'late')
  peer.data(1, Buffer.alloc(65_536), fin)
  peer.frame(FrameType.window, ack, 1, 100)
  peer.frame(FrameType.window, rst, 1, 0)
  peer.data(3, 'hello', fin)
  const received: Buffer[] = []
  for await (const chunk of other) received.push(chunk)
  expect(Buffer.concat(received).toString()).toBe('hello')
})

it('an answer to a ping that was never sent settles nothing', async () => {
  const { session, peer } = await hostile()
  const ping = session.ping()
  const asked = await peer.saw((frame) => frame.type === FrameType.ping)
  peer.frame(FrameType.ping, ack, 0, asked.length + 1)
  peer.frame(FrameType.ping, ack, 0, asked.length)
  peer.frame(FrameType.ping, ack, 0, asked.length)
  expect(await ping).toBeGreaterThan(0)
  peer.frame(FrameType.ping, syn, 0, 4_000_000_000)
  expect(await peer.saw((frame) => frame.type === FrameType.ping && frame.flags === ack)).toMatchObject({ length: 4_000_000_000 })
})

it('an error nobody listens to is no uncaught exception', async () => {
  const { session, peer } = await hostile()
  session.open()
  session.open().write(Buffer.alloc(1_000_000))
  peer.pipe.destroy()
  expect(await session.ended).toMatchObject({ code: 'GUEST_UNREACHABLE' })
  await new Promise((resolve) => setImmediate(resolve))
})
