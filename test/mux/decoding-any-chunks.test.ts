import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WarmcellError } from '../../src/errors.ts'
import {
  FrameDecoder,
  type FrameHeader,
  FrameType,
  MuxSession,
  type MuxStream,
  openStreamsMax,
  windowBytes,
} from '../../src/mux/index.ts'
import { memoryPair } from './pipes.ts'
import { frameBytes } from './raw-peer.ts'

interface Decoded extends FrameHeader {
  body: string
}

function decodeAll(chunks: readonly Buffer[]): { frames: Decoded[]; decoder: FrameDecoder } {
  const frames: Decoded[] = []
  const decoder = new FrameDecoder({
    header: (header) => void frames.push({ ...header, body: '' }),
    body: (piece) => {
      const frame = frames.at(-1)
      if (frame !== undefined) frame.body += piece.toString('hex')
    },
  })
  for (const chunk of chunks) decoder.push(chunk)
  return { frames, decoder }
}

/** Cuts bytes at the given places. */
function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end))
}

const anyFrame = fc.oneof(
  fc
    .record({ flags: fc.nat(15), streamId: fc.integer({ min: 1, max: 0xffff_ffff }), body: fc.uint8Array({ maxLength: 200 }) })
    .map(({ flags, streamId, body }) => ({ type: FrameType.data as number, flags, streamId, length: body.length, body })),
  fc
    .record({ flags: fc.nat(15), streamId: fc.integer({ min: 1, max: 0xffff_ffff }), length: fc.nat(0xffff_ffff) })
    .map((frame) => ({ type: FrameType.window as number, ...frame, body: new Uint8Array() })),
  fc
    .record({ type: fc.constantFrom<number>(FrameType.ping, FrameType.goAway), flags: fc.nat(15), length: fc.nat(0xffff_ffff) })
    .map((frame) => ({ ...frame, streamId: 0, body: new Uint8Array() })),
)

describe('the decoder', () => {
  it('gives the same frames for any chunking of the same bytes', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 30 }), (frames, places) => {
        const bytes = Buffer.concat(frames.map((f) => frameBytes(f.type, f.flags, f.streamId, f.length, f.body)))
        const { frames: decoded, decoder } = decodeAll(cut(bytes, places))
        expect(decoded).toEqual(frames.map((frame) => ({ ...frame, body: Buffer.from(frame.body).toString('hex') })))
        expect(decoder.inFrame).toBe(false)
        expect(decoder.framesEnded).toBe(frames.length)
      }),
      { numRuns: 300 },
    )
  })

  it('throws nothing but PROTOCOL, whatever the bytes', () => {
    // Half of them begin like frames: pure noise never gets past the first byte.
    const noise = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        anyFrame.map((f) => frameBytes(f.type, f.flags, f.streamId, f.length)),
      ),
    )
    fc.assert(
      fc.property(noise, fc.array(fc.nat(), { maxLength: 8 }), (parts, places) => {
        try {
          decodeAll(cut(Buffer.concat(parts), places))
        } catch (error) {
          expect(error).toBeInstanceOf(WarmcellError)
          expect(error).toMatchObject({ code: 'PROTOCOL' })
        }
      }),
      { numRuns: 500 },
    )
  })

  it('is linear: 4 MiB in chunks of one byte take at most a second of CPU', () => {
    const body = Buffer.alloc(65_524, 1)
    const frame = frameBytes(FrameType.data, 0, 1, body.length, body)
    let received = 0
    const decoder = new FrameDecoder({
      header: () => {},
      body: (piece) => {
        received += piece.length
      },
    })
    const before = process.cpuUsage()
    for (let frames = 0; frames < 64; frames++) for (let at = 0; at < frame.length; at++) decoder.push(frame.subarray(at, at + 1))
    const { user, system } = process.cpuUsage(before)
    expect(received).toBe(64 * body.length)
    expect((user + system) / 1000).toBeLessThan(1000)
  })
})

describe('a session', () => {
  it('hands on the same bytes for any chunking of valid frames', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        async (bodies, places) => {
          const [near, far] = memoryPair()
          far.resume()
          const session = new MuxSession(near, { role: 'client' })
          const stream = session.open()
          const frames = bodies.map((body, index) => frameBytes(FrameType.data, index === 0 ? 2 : 0, 1, body.length, body))
          for (const chunk of cut(Buffer.concat([...frames, frameBytes(FrameType.window, 4, 1, 0)]), places)) far.write(chunk)
          const received: Buffer[] = []
          for await (const chunk of stream) received.push(chunk)
          expect(Buffer.concat(received).equals(Buffer.concat(bodies))).toBe(true)
          session.destroy()
        },
      ),
      { numRuns: 60 },
    )
  })

  it('holds against any change of its frames: it goes on or ends with PROTOCOL, and keeps no more than it granted', async () => {
    const change = fc.record({ at: fc.nat(), remove: fc.nat(20), insert: fc.uint8Array({ maxLength: 20 }) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyFrame, { maxLength: 12 }),
        fc.array(change, { maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        async (frames, changes, places) => {
          const [near, far] = memoryPair()
          far.resume()
          const opened: MuxStream[] = []
          const session = new MuxSession(near, { role: 'client', onStream: (stream) => void opened.push(stream) })
          const own = Array.from({ length: 4 }, () => session.open())
          // Streams that are there: what is said of others ends the session at once.
          const known = frames.map((f) => frameBytes(f.type, f.flags, f.type < 2 ? (f.streamId % 10) + 1 : 0, f.length, f.body))
          let bytes = Buffer.concat(known)
          for (const { at, remove, insert } of changes) {
            const from = at % (bytes.length + 1)
            bytes = Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)])
          }
          for (const chunk of cut(bytes, places)) near.emit('data', chunk)
          for (const stream of [...own, ...opened]) expect(stream.readableLength).toBeLessThanOrEqual(windowBytes)
          expect(session.streamCount).toBeLessThanOrEqual(4 + openStreamsMax.server)
          session.destroy()
          const error = await session.ended
          // A guest may also say that it goes away.
          if (error !== undefined) expect(['PROTOCOL', 'GUEST_UNREACHABLE']).toContain(error.code)
          for (const stream of own) expect(stream.destroyed).toBe(true)
        },
      ),
      { numRuns: 300 },
    )
  })
})
