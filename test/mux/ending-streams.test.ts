import { pipeline } from 'node:stream/promises'
import { describe, expect, it } from 'vitest'
import { WarmcellError } from '../../src/errors.ts'
import { FrameFlag, FrameType, MuxSession, type MuxStream, windowBytes } from '../../src/mux/index.ts'
import { memoryPair, socketPair } from './pipes.ts'
import { RawPeer } from './raw-peer.ts'

const { syn, ack, fin, rst } = FrameFlag

async function sessions(onStream: (stream: MuxStream) => void): Promise<{ client: MuxSession; server: MuxSession }> {
  const [near, far] = await socketPair()
  return { client: new MuxSession(near, { role: 'client' }), server: new MuxSession(far, { role: 'server', onStream }) }
}

/** Not with `for await`, which destroys a Duplex at its end, with the direction that is still open. */
function readAll(stream: MuxStream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => resolve(Buffer.concat(chunks))).on('error', reject)
  })
}

const closed = (stream: MuxStream): Promise<void> => new Promise((resolve) => stream.once('close', resolve))

describe('half-close', () => {
  it('the end of one direction leaves the other open, and both ended free the stream', async () => {
    const { client, server } = await sessions(async (stream) => {
      const asked = await readAll(stream)
      stream.end(`you said ${asked}`)
    })
    const stream = client.open()
    stream.end('hello')
    expect((await readAll(stream)).toString()).toBe('you said hello')
    expect(client.streamCount).toBe(0)
    await client.ping()
    expect(server.streamCount).toBe(0)
    client.destroy()
  })

  it('what came before the end is kept for a reader who comes late', async () => {
    const { client } = await sessions((stream) => {
      stream.resume()
      stream.end('early')
    })
    const stream = client.open()
    let released = false
    stream.onReleased = () => {
      released = true
    }
    stream.end('x')
    while (!released) await client.ping()
    expect(client.streamCount).toBe(0)
    expect((await readAll(stream)).toString()).toBe('early')
  })

  it('is said by a frame of its own, as readers of other makes lose data that comes with it', async () => {
    const [near, far] = memoryPair()
    const peer = new RawPeer(far)
    const session = new MuxSession(near, { role: 'client' })
    session.open().end('hello')
    await peer.saw((frame) => (frame.flags & fin) !== 0)
    expect(peer.frames.map(({ type, flags, body }) => [type, flags, body.toString()])).toEqual([
      [FrameType.data, syn, 'hello'],
      [FrameType.window, fin, ''],
    ])
  })

  it('that comes with the last data is understood', async () => {
    const [near, far] = memoryPair()
    const peer = new RawPeer(far)
    const stream = new MuxSession(near, { role: 'client' }).open()
    await peer.saw((frame) => frame.streamId === 1)
    peer.data(1, 'first, ')
    peer.data(1, 'last', fin)
    expect((await readAll(stream)).toString()).toBe('first, last')
  })
})

describe('reset', () => {
  it('ends both directions on both sides', async () => {
    let theirs: MuxStream | undefined
    const { client } = await sessions((stream) => {
      theirs = stream
    })
    const stream = client.open()
    stream.write('hello')
    while (theirs === undefined) await client.ping()
    const gone = closed(theirs)
    stream.reset()
    await gone
    expect(theirs.errored).toMatchObject({ code: 'GUEST_UNREACHABLE' })
    expect(stream.errored).toBeNull()
    expect(client.streamCount).toBe(0)
  })

  it('tells nothing of a stream that the other side never heard of', async () => {
    const [near, far] = memoryPair()
    const peer = new RawPeer(far)
    const session = new MuxSession(near, { role: 'client' })
    session.open().reset()
    session.open().write('x')
    await peer.saw((frame) => frame.streamId === 3)
    expect(peer.frames.some((frame) => frame.streamId === 1)).toBe(false)
  })

  it('by the other side calls back every waiting write with the reason', async () => {
    const [near, far] = await socketPair()
    const peer = new RawPeer(far)
    const session = new MuxSession(near, { role: 'client' })
    const stream = session.open()
    const results: Array<unknown> = []
    for (let count = 0; count < 8; count++) stream.write(Buffer.alloc(200_000), (error) => results.push(error))
    await peer.saw((frame) => frame.streamId === 1)
    peer.frame(FrameType.window, ack | rst, 1, 0)
    await closed(stream)
    expect(results).toHaveLength(8)
    expect(results.at(-1)).toBeInstanceOf(Error)
    expect(session.streamCount).toBe(0)
  })

  it('a reader that stops early resets, so that the other side stops too', async () => {
    let theirs: MuxStream | undefined
    const { client } = await sessions((stream) => {
      theirs = stream
      stream.write(Buffer.alloc(1_000_000))
    })
    for await (const _ of client.open()) break
    await client.ping()
    expect(theirs?.destroyed).toBe(true)
  })
})

describe('credit', () => {
  it('is granted for what the reader consumed, in lumps of at least half a window', async () => {
    const [near, far] = await socketPair()
    const peer = new RawPeer(far)
    const session = new MuxSession(near, { role: 'client' })
    const stream = session.open()
    await peer.saw((frame) => frame.streamId === 1)
    for (let sent = 0; sent < windowBytes; sent += 65_536) peer.data(1, Buffer.alloc(65_536))
    for (let turns = 0; turns < 5; turns++) await pingThrough(peer, turns)
    expect(grants(peer)).toEqual([])
    const chunk = await new Promise<Buffer>((resolve) => stream.once('readable', () => resolve(stream.read())))
    let consumed = chunk.length
    while (consumed < windowBytes) consumed += ((stream.read() as Buffer | null) ?? (await nextChunk(stream))).length
    stream.read()
    await peer.saw((frame) => frame.type === FrameType.window && frame.length > 0)
    await pingThrough(peer, 99)
    for (const grant of grants(peer)) expect(grant).toBeGreaterThanOrEqual(windowBytes / 2)
    expect(grants(peer).reduce((sum, grant) => sum + grant, 0)).toBeLessThanOrEqual(windowBytes)
  })

  it('is never overdrawn by a writer, whose frames hold at most 64 KiB', async () => {
    const [near, far] = await socketPair()
    const peer = new RawPeer(far)
    const session = new MuxSession(near, { role: 'client' })
    const stream = session.open()
    stream.write(Buffer.alloc(windowBytes + 100_000))
    await peer.saw((frame) => frame.streamId === 1)
    await pingThrough(peer, 1)
    const sent = (): number => peer.frames.reduce((sum, frame) => sum + frame.body.length, 0)
    expect(sent()).toBe(windowBytes)
    peer.frame(FrameType.window, ack, 1, 40_000)
    await pingThrough(peer, 2)
    expect(sent()).toBe(windowBytes + 40_000)
    expect(Math.max(...peer.frames.map((frame) => frame.body.length))).toBeLessThanOrEqual(65_536)
  })

  const grants = (peer: RawPeer): number[] =>
    peer.frames.filter((f) => f.type === FrameType.window && f.length > 0).map((f) => f.length)
  const nextChunk = (stream: MuxStream): Promise<Buffer> =>
    new Promise((resolve) => stream.once('readable', () => resolve((stream.read() as Buffer | null) ?? Buffer.alloc(0))))
  const pingThrough = async (peer: RawPeer, value: number): Promise<void> => {
    peer.frame(FrameType.ping, syn, 0, value)
    await peer.saw((frame) => frame.type === FrameType.ping && frame.length === value)
  }
})

describe('discarding writes', () => {
  it('ends the direction though no credit is left, and keeps reading', async () => {
    const [near, far] = await socketPair()
    const peer = new RawPeer(far)
    const session = new MuxSession(near, { role: 'client' })
    const stream = session.open()
    const flushed: unknown[] = []
    for (let count = 0; count < 4; count++) stream.write(Buffer.alloc(300_000), (error) => flushed.push(error ?? 'done'))
    await peer.saw((frame) => frame.streamId === 1)
    stream.discardWrites()
    await peer.saw((frame) => (frame.flags & fin) !== 0)
    expect(flushed).toEqual(['done', 'done', 'done', 'done'])
    peer.data(1, 'still here', fin)
    expect((await readAll(stream)).toString()).toBe('still here')
    expect(session.streamCount).toBe(0)
  })
})

describe('the end of a session', () => {
  it('in order says go away 0, resolves with undefined, and destroys the streams with a typed error', async () => {
    const [near, far] = await socketPair()
    const peer = new RawPeer(far)
    const session = new MuxSession(near, { role: 'client' })
    const stream = session.open()
    await peer.saw((frame) => frame.streamId === 1)
    session.destroy()
    session.destroy(new WarmcellError('SANDBOX_GONE', 'too late'))
    expect(await session.ended).toBeUndefined()
    expect(stream.errored).toMatchObject({ code: 'GUEST_UNREACHABLE' })
    await peer.sawClose()
    expect(peer.frames.at(-1)).toMatchObject({ type: FrameType.goAway, length: 0 })
    await expect(session.ping()).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' })
  })

  it('with an error gives that error to everyone', async () => {
    const { client } = await sessions((stream) => stream.resume())
    const stream = client.open()
    const sending = pipeline([Buffer.alloc(10_000_000)], stream)
    const reason = new WarmcellError('SANDBOX_GONE', 'destroyed')
    client.destroy(reason)
    await expect(sending).rejects.toBe(reason)
    expect(await client.ended).toBe(reason)
  })

  it('comes at once over a pipe that has ended before', async () => {
    const [near] = memoryPair()
    near.destroy()
    const session = new MuxSession(near, { role: 'client' })
    expect(await session.ended).toMatchObject({ code: 'GUEST_UNREACHABLE' })
  })

  it('keeps the cause of a pipe that fails', async () => {
    const [near] = memoryPair()
    const session = new MuxSession(near, { role: 'client' })
    const cause = new Error('EIO: the port is gone')
    near.destroy(cause)
    expect(await session.ended).toMatchObject({ code: 'GUEST_UNREACHABLE', cause, message: expect.stringContaining('EIO') })
  })

  it('a ping ends by its own time or signal, and leaves the session whole', async () => {
    const [near, far] = memoryPair()
    far.resume()
    const session = new MuxSession(near, { role: 'client' })
    await expect(session.ping({ timeoutMs: 5 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    await expect(session.ping({ signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop')
    expect(session.open().id).toBe(1)
  })
})

describe('release', () => {
  it('ends the session and its streams, and leaves the pipe to the next, as often as one likes', async () => {
    const [near, far] = memoryPair()
    // One of them is still open when the session is over.
    const echo = (stream: MuxStream): void =>
      void readAll(stream).then(
        (bytes) => stream.end(bytes),
        () => {},
      )
    for (let turn = 0; turn < 20; turn++) {
      const server = new MuxSession(far, { role: 'server', onStream: echo })
      const client = new MuxSession(near, { role: 'client' })
      const [asked, left] = [client.open(), client.open()]
      // The first of its session each time: nothing is known of those before.
      expect(asked.id).toBe(1)
      asked.end(`turn ${turn}`)
      expect((await readAll(asked)).toString()).toBe(`turn ${turn}`)
      const leftEnds = new Promise((resolve) => left.once('error', resolve))
      await client.ping()
      for (const session of [client, server]) session.release()
      expect(await leftEnds).toMatchObject({ code: 'GUEST_UNREACHABLE' })
      expect(await Promise.all([client.ended, server.ended])).toEqual([undefined, undefined])
      await expect(client.ping()).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' })
      client.destroy()
    }
    for (const pipe of [near, far]) {
      expect(pipe.destroyed).toBe(false)
      expect(['data', 'error', 'drain', 'close'].map((event) => pipe.listenerCount(event)).every((count) => count <= 1)).toBe(
        true,
      )
    }
  })
})
