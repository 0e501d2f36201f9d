import { readFileSync, statSync, truncateSync } from 'node:fs'
import { expect, test } from 'vitest'
import { encodeMessage } from '../../../src/agent/index.ts'
import type { MuxStream } from '../../../src/mux/index.ts'
import { growth, mib } from '../../support/memory.ts'
import { Scratch } from '../../support/scratch.ts'
import { entry, hostileGuest, saying } from './hostile-guest.ts'

const sizeBytes = 256 * mib

/** Writes so many bytes at the pace of their reader, then ends. */
function pour(stream: MuxStream, bytes: number): void {
  const piece = Buffer.alloc(65_536)
  let left = bytes
  const more = (): void => {
    while (left > 0 && !stream.destroyed) {
      left -= piece.length
      if (!stream.write(piece)) {
        stream.once('drain', more)
        return
      }
    }
    stream.end()
  }
  more()
}

test('256 MiB written from a stream cost no more than some', async () => {
  let took = 0
  using hostile = await hostileGuest((message, stream) => {
    stream.on('data', (chunk: Buffer) => {
      took += chunk.length
    })
    stream.on('end', () => stream.end(encodeMessage({ type: 'Written', sizeBytes: took })))
    expect(message.type).toBe('WriteFile')
  })
  const source = async function* () {
    for (let sent = 0; sent < sizeBytes; sent += 65_536) yield Buffer.alloc(65_536)
  }
  expect(await growth(() => hostile.files.write('/big', source()))).toBeLessThan(96 * mib)
  expect(took).toBe(sizeBytes)
}, 60_000)

test('256 MiB read as a stream cost no more than some, and an unread one holds its guest back', async () => {
  using hostile = await hostileGuest((_, stream) => {
    stream.resume()
    stream.write(encodeMessage({ type: 'Reading', sizeBytes }))
    pour(stream, sizeBytes)
  })
  let took = 0
  const grown = await growth(async () => {
    for await (const chunk of (await hostile.files.read('/big', { format: 'stream' })) as unknown as AsyncIterable<Uint8Array>)
      took += chunk.length
  })
  expect(took).toBe(sizeBytes)
  expect(grown).toBeLessThan(96 * mib)
}, 60_000)

test('256 MiB uploaded and downloaded cost no more than some', async () => {
  using scratch = new Scratch()
  const file = scratch.file('big', '')
  truncateSync(file, sizeBytes)
  let took = 0
  using hostile = await hostileGuest((message, stream) => {
    if (message.type === 'WriteTree') {
      stream.on('data', (chunk: Buffer) => {
        took += chunk.length
      })
      stream.on('end', () => stream.end(encodeMessage({ type: 'Written', sizeBytes })))
      return
    }
    stream.resume()
    stream.write(encodeMessage(entry('', 'file', { sizeBytes })))
    pour(stream, sizeBytes)
  })
  expect(await growth(() => hostile.files.upload(file, '/big'))).toBeLessThan(96 * mib)
  expect(took).toBeGreaterThan(sizeBytes)
  expect(await growth(() => hostile.files.download('/big', scratch.join('back')))).toBeLessThan(96 * mib)
  expect(statSync(scratch.join('back')).size).toBe(sizeBytes)
  expect(readFileSync(scratch.join('back')).equals(Buffer.alloc(sizeBytes))).toBe(true)
}, 60_000)

test('what claims or has more than fits into memory is EFBIG, whatever it claims', async () => {
  using claims = await hostileGuest(saying({ type: 'Reading', sizeBytes: Number.MAX_SAFE_INTEGER }))
  await expect(claims.files.read('/big')).rejects.toMatchObject({
    code: 'FILE',
    errno: 'EFBIG',
    message: expect.stringContaining("'stream'"),
  })
  using pours = await hostileGuest((_, stream) => {
    stream.resume()
    stream.write(encodeMessage({ type: 'Reading', sizeBytes: 0 }))
    pour(stream, 300 * mib)
  })
  await expect(pours.files.read('/big', { format: 'bytes' })).rejects.toMatchObject({ code: 'FILE', errno: 'EFBIG' })
  await expect.poll(() => pours.guest.streamCount).toBe(0)
}, 60_000)

test('a listing has its bounds, in entries and in bytes', async () => {
  const endless = (name: (index: number) => string) => (_: unknown, stream: MuxStream) => {
    stream.resume()
    let index = 0
    const more = (): void => {
      while (!stream.destroyed && stream.write(encodeMessage(entry(name(index++)))));
      if (!stream.destroyed) stream.once('drain', more)
    }
    more()
  }
  using many = await hostileGuest(endless((index) => `/${index}`))
  await expect(many.files.list('/')).rejects.toMatchObject({ code: 'FILE', errno: 'EOVERFLOW' })
  await expect.poll(() => many.guest.streamCount).toBe(0)
  using long = await hostileGuest(endless((index) => `/${'x'.repeat(60_000)}${index}`))
  await expect(long.files.list('/')).rejects.toMatchObject({ code: 'FILE', errno: 'EOVERFLOW' })
}, 60_000)

test.each(['../a', 'a', '/a/..', '/a/.', '/a//b', '/a/', '', '/..'])('an entry called %j is not handed on', async (path) => {
  using hostile = await hostileGuest(saying(entry(path)))
  await expect(hostile.files.list('/')).rejects.toMatchObject({ code: 'PROTOCOL' })
  expect(await hostile.ended).toMatchObject({ code: 'PROTOCOL' })
})

test('a read that is broken off is EIO', async () => {
  using hostile = await hostileGuest(saying({ type: 'Reading', sizeBytes: 100 }, Buffer.alloc(50), 'reset'))
  await expect(hostile.files.read('/f')).rejects.toMatchObject({ code: 'FILE', errno: 'EIO', path: '/f' })
})

test.each([
  ['read', 'Done'],
  ['stat', 'Done'],
  ['mkdir', 'Quiesced'],
] as const)('%s answered with %s is not believed', async (call, type) => {
  using hostile = await hostileGuest(saying(type === 'Done' ? { type } : { type, processes: 1 }))
  await expect(hostile.files[call]('/f')).rejects.toMatchObject({ code: 'PROTOCOL' })
})
