import { Duplex } from 'node:stream'
import { expect, it } from 'vitest'
import { FrameFlag, FrameType, MuxSession, type MuxStream } from '../../src/mux/index.ts'
import { socketPair } from './pipes.ts'
import { RawPeer } from './raw-peer.ts'

/** A pipe that records each write it is given and finishes it when the test says so. */
class SlowPipe extends Duplex {
  readonly writes: Buffer[] = []
  finishWrite: () => void = () => {}

  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.writes.push(chunk)
    this.finishWrite = done
  }
  override _writev(chunks: Array<{ chunk: Buffer }>, done: () => void): void {
    this.writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)))
    this.finishWrite = done
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** The stream ids and sizes of the frames in one write. */
function framesIn(bytes: Buffer): Array<{ type: number; flags: number; streamId: number; size: number }> {
  const frames: Array<{ type: number; flags: number; streamId: number; size: number }> = []
  for (let at = 0; at < bytes.length; ) {
    const type = bytes.readUInt8(at + 1)
    const size = type === FrameType.data ? bytes.readUInt32BE(at + 8) : 0
    frames.push({ type, flags: bytes.readUInt16BE(at + 2), streamId: bytes.readUInt32BE(at + 4), size })
    at += 12 + size
  }
  return frames
}

it('what is opened, written and ended in one tick leaves in one write', async () => {
  const pipe = new SlowPipe()
  const session = new MuxSession(pipe, { role: 'client' })
  session.open().write('start')
  const second = session.open()
  second.write('attach')
  second.end()
  session.open().end('attach')
  await turn()
  expect(pipe.writes).toHaveLength(1)
  expect(framesIn(pipe.writes[0] as Buffer)).toEqual([
    { type: 0, flags: FrameFlag.syn, streamId: 1, size: 5 },
    { type: 0, flags: FrameFlag.syn, streamId: 3, size: 6 },
    { type: 1, flags: FrameFlag.fin, streamId: 3, size: 0 },
    { type: 0, flags: FrameFlag.syn, streamId: 5, size: 6 },
    { type: 1, flags: FrameFlag.fin, streamId: 5, size: 0 },
  ])
  session.destroy()
})

it('many small writes of one tick share a frame', async () => {
  const pipe = new SlowPipe()
  const session = new MuxSession(pipe, { role: 'client' })
  const stream = session.open()
  for (let count = 0; count < 1000; count++) stream.write('ten bytes.')
  await turn()
  expect(framesIn(pipe.writes[0] as Buffer)).toEqual([{ type: 0, flags: FrameFlag.syn, streamId: 1, size: 10_000 }])
  session.destroy()
})

it('streams take turns while the pipe is congested, and control frames go first', async () => {
  const pipe = new SlowPipe()
  const session = new MuxSession(pipe, { role: 'client' })
  const bulk = [session.open(), session.open(), session.open()]
  for (const stream of bulk) stream.write(Buffer.alloc(200_000))
  await turn()
  const small = session.open()
  small.write('small')
  const ping = session.ping()
  ping.catch(() => {})
  expect(pipe.writes).toHaveLength(1)
  // The first write took a frame of each in turn, up to its size.
  expect(framesIn(pipe.writes[0] as Buffer).map(({ streamId }) => streamId)).toEqual([1, 3, 5, 1])
  pipe.finishWrite()
  await turn()
  const second = framesIn(pipe.writes.slice(1).reduce((all, part) => Buffer.concat([all, part]), Buffer.alloc(0)))
  expect(second[0]).toMatchObject({ type: FrameType.ping })
  expect(second.slice(1, 5).map(({ streamId }) => streamId)).toEqual([3, 5, 1, 7])
  session.destroy()
  await expect(ping).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' })
})

it('bulk data moves in frames of 64 KiB', async () => {
  const [near, far] = await socketPair()
  const peer = new RawPeer(far)
  const session = new MuxSession(near, { role: 'client' })
  const stream = session.open()
  stream.end(Buffer.alloc(4 * 1_048_576))
  let granted = 0
  for (let received = 0; received < 4 * 1_048_576; ) {
    await peer.saw((frame) => peer.frames.indexOf(frame) >= granted)
    received += peer.frames.slice(granted).reduce((sum, frame) => sum + frame.body.length, 0)
    for (const frame of peer.frames.slice(granted))
      if (frame.body.length > 0) peer.frame(FrameType.window, 0, 1, frame.body.length)
    granted = peer.frames.length
  }
  const sizes = peer.frames.filter((frame) => frame.body.length > 0).map((frame) => frame.body.length)
  expect(sizes).toHaveLength(64)
  expect(new Set(sizes)).toEqual(new Set([65_536]))
  session.destroy()
})

it('eight streams at once each get their own bytes back', async () => {
  const [near, far] = await socketPair()
  const server = new MuxSession(far, { role: 'server', onStream: (stream) => void stream.pipe(stream) })
  const session = new MuxSession(near, { role: 'client' })
  const echo = async (fill: number): Promise<void> => {
    const stream: MuxStream = session.open()
    const sent = Buffer.alloc(1_048_576, fill)
    stream.end(sent)
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).equals(sent)).toBe(true)
  }
  await Promise.all(Array.from({ length: 8 }, (_, index) => echo(index + 1)))
  expect(session.streamCount).toBe(0)
  session.destroy()
  await server.ended
})
