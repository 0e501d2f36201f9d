/** Another implementation of the same wire, as both sides: what we call yamux is what others call yamux. */

import type { Duplex } from 'node:stream'
import { beforeAll, describe, expect, it } from 'vitest'
import { MuxSession, type MuxStream } from '../../src/mux/index.ts'
import { socketPair } from './pipes.ts'

/** As much of the other library's interface as is used here. */
interface TheirStream extends EventTarget, AsyncIterable<{ subarray(): Uint8Array }> {
  send(data: Uint8Array): boolean
  onDrain(): Promise<void>
  close(): Promise<void>
  readonly remoteWriteStatus: string
}
interface TheirMuxer extends EventTarget {
  createStream(): Promise<TheirStream>
  ping(): Promise<number>
  close(): Promise<void>
  abort(error: Error): void
}

// The library is written for Node 22; of what Node 20 has not, this is all it uses here.
const modern = Promise as unknown as { withResolvers?: () => unknown }
modern.withResolvers ??= () => {
  const settle: { resolve?: unknown; reject?: unknown } = {}
  const promise = new Promise((resolve, reject) => Object.assign(settle, { resolve, reject }))
  return { promise, ...settle }
}

type MakeMuxer = (connection: unknown) => TheirMuxer
const library = await import('@chainsafe/libp2p-yamux').then(
  ({ yamux }): { make: MakeMuxer } => {
    const factory = yamux({ enableKeepAlive: false })() as unknown as { createStreamMuxer: MakeMuxer }
    return { make: (connection) => factory.createStreamMuxer(connection) }
  },
  (error: unknown): { missing: string } => ({ missing: String(error) }),
)
const missing = 'missing' in library ? library.missing : undefined

const streamsAtOnce = 8
const payload = (fill: number): Buffer => Buffer.alloc(1_048_576, fill)

describe.skipIf(missing !== undefined)(
  `interoperates with @chainsafe/libp2p-yamux${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let makeTheirs: MakeMuxer
    beforeAll(() => {
      if ('make' in library) makeTheirs = library.make
    })

    describe('we are the client', () => {
      it('1 MiB over each of 8 streams comes back, half-closed by us', async () => {
        const { ours, theirs } = await pair('client', () => {})
        theirs.addEventListener('stream', (event) => void echo((event as CustomEvent<TheirStream>).detail))
        await Promise.all(Array.from({ length: streamsAtOnce }, (_, index) => roundTrip(ours.open(), payload(index + 1))))
        expect(ours.streamCount).toBe(0)
        ours.destroy()
      })

      it('pings them and is pinged', async () => {
        const { ours, theirs } = await pair('client', () => {})
        expect(await ours.ping()).toBeGreaterThan(0)
        expect(await theirs.ping()).toBeGreaterThanOrEqual(0)
        ours.destroy()
      })

      it('a reset of ours ends their stream', async () => {
        const { ours, theirs } = await pair('client', () => {})
        const opened = new Promise<TheirStream>((resolve) =>
          theirs.addEventListener('stream', (event) => resolve((event as CustomEvent<TheirStream>).detail)),
        )
        const stream = ours.open()
        stream.write('hello')
        const their = await opened
        const closed = new Promise((resolve) => their.addEventListener('close', resolve))
        stream.reset()
        await closed
        ours.destroy()
      })
    })

    describe('we are the server', () => {
      it('1 MiB over each of 8 streams comes back, half-closed by them', async () => {
        const { ours, theirs } = await pair('server', (stream) => void stream.pipe(stream))
        await Promise.all(
          Array.from({ length: streamsAtOnce }, async (_, index) => {
            const stream = await theirs.createStream()
            const sent = payload(index + 1)
            const received = collect(stream)
            for (let at = 0; at < sent.length; at += 65_536)
              if (!stream.send(sent.subarray(at, at + 65_536))) await stream.onDrain()
            await stream.close()
            expect((await received).equals(sent)).toBe(true)
          }),
        )
        await ours.ping()
        expect(ours.streamCount).toBe(0)
        ours.destroy()
      })

      it('their orderly close ends our session as unreachable', async () => {
        const { ours, theirs } = await pair('server', () => {})
        await theirs.close()
        expect(await ours.ended).toMatchObject({ code: 'GUEST_UNREACHABLE', message: expect.stringContaining('go away 0') })
      })
    })

    async function pair(
      role: 'client' | 'server',
      onStream: (stream: MuxStream) => void,
    ): Promise<{ ours: MuxSession; theirs: TheirMuxer }> {
      const [near, far] = await socketPair()
      const theirs = makeTheirs(new PipeConnection(far, role === 'client' ? 'inbound' : 'outbound'))
      return { ours: new MuxSession(near, { role, onStream }), theirs }
    }
  },
)

async function roundTrip(stream: MuxStream, sent: Buffer): Promise<void> {
  stream.end(sent)
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  expect(Buffer.concat(chunks).equals(sent)).toBe(true)
}

async function echo(stream: TheirStream): Promise<void> {
  for await (const chunk of stream) if (!stream.send(chunk.subarray())) await stream.onDrain()
  await stream.close()
}

async function collect(stream: TheirStream): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk.subarray())
  return Buffer.concat(chunks)
}

/** A pipe as the connection their muxer expects: it asks for `send`, for the direction, for a log, and for three events. */
class PipeConnection extends EventTarget {
  readonly direction: 'inbound' | 'outbound'
  readonly log: unknown = silentLog()
  readonly #pipe: Duplex

  constructor(pipe: Duplex, direction: 'inbound' | 'outbound') {
    super()
    this.#pipe = pipe
    this.direction = direction
    pipe.on('data', (data: Buffer) => this.dispatchEvent(Object.assign(new Event('message'), { data })))
    pipe.on('drain', () => this.dispatchEvent(new Event('drain')))
    pipe.on('close', () => this.dispatchEvent(new Event('close')))
    pipe.on('error', () => {})
  }

  send(data: Uint8Array | { subarray(): Uint8Array }): boolean {
    return this.#pipe.write(Buffer.from(data.subarray()))
  }

  abort(): void {
    this.#pipe.destroy()
  }
}

function silentLog(): unknown {
  const silent = (): void => {}
  return Object.assign(silent, { error: silent, trace: silent, newScope: silentLog, enabled: false })
}
