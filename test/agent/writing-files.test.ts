import { expect, it } from 'vitest'
import { encodeMessage, type GuestMessage, type HostMessage } from '../../src/agent/index.ts'
import type { MuxStream } from '../../src/mux/index.ts'
import { talkTo } from './talking.ts'

const owner = { mode: 0o640, user: 'root' }

/** Takes the whole file, then answers. */
function taking(
  answer: (data: Buffer) => GuestMessage,
  note?: (message: HostMessage, data: Buffer) => void,
): Parameters<typeof talkTo>[0] {
  return {
    onWriteFile: (message, stream: MuxStream) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const data = Buffer.concat(chunks)
        note?.(message, data)
        stream.end(encodeMessage(answer(data)))
      })
    },
  }
}

it.each([0, 1, 65_536, 3_000_000])('%i bytes arrive whole', async (size) => {
  const files: Array<[HostMessage, Buffer]> = []
  const { connection, guest } = await talkTo(
    taking(
      (data) => ({ type: 'Written', sizeBytes: data.length }),
      (message, data) => void files.push([message, data]),
    ),
  )
  const data = Buffer.alloc(size, 'warmcell ')
  await connection.files.write('/etc/motd', new Uint8Array(data), owner)
  expect(files).toHaveLength(1)
  expect(files[0]?.[0]).toEqual({ type: 'WriteFile', path: '/etc/motd', mode: 0o640, user: 'root', append: 0 })
  expect(files[0]?.[1].equals(data)).toBe(true)
  await connection.ping()
  expect(guest.streamCount).toBe(0)
  connection.close()
})

it('a full disk is a FileError with its errno, and stops the sending', async () => {
  const { connection, guest } = await talkTo({
    onWriteFile: (_message, stream) =>
      void stream.end(encodeMessage({ type: 'Failed', errno: 'ENOSPC', step: 'write', message: 'no space left' })),
  })
  await expect(connection.files.write('/big', Buffer.alloc(8_000_000), owner)).rejects.toMatchObject({
    code: 'FILE',
    errno: 'ENOSPC',
    path: '/big',
    message: expect.stringContaining('no space left'),
  })
  await connection.ping()
  expect(guest.streamCount).toBe(0)
  connection.close()
})

it('another size written than sent is not believed', async () => {
  const { connection } = await talkTo(taking((data) => ({ type: 'Written', sizeBytes: data.length - 1 })))
  await expect(connection.files.write('/a', Buffer.from('abc'), owner)).rejects.toMatchObject({ code: 'PROTOCOL' })
  expect(await connection.ended).toMatchObject({ code: 'PROTOCOL' })
})

it('a write that is given up is reset, so that it leaves nothing in the guest', async () => {
  let reset = false
  const { connection, guest } = await talkTo({ onWriteFile: (_message, stream) => void stream.on('close', () => (reset = true)) })
  await expect(connection.files.write('/a', Buffer.alloc(2_000_000), { ...owner, timeoutMs: 20 })).rejects.toMatchObject({
    code: 'TIMEOUT',
  })
  await connection.ping()
  expect(reset).toBe(true)
  expect(guest.streamCount).toBe(0)
  connection.close()
})

it('a source that gives nothing and never waits is given up in time', async () => {
  let pieces = 0
  async function* nothing(): AsyncGenerator<Uint8Array> {
    for (; pieces < 1_000_000; pieces++) yield new Uint8Array(0)
  }
  const { connection } = await talkTo({})
  await expect(connection.files.write('/a', nothing(), { ...owner, timeoutMs: 20 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  expect(pieces).toBeLessThan(1_000_000)
  connection.close()
})

it('a bad path is refused before anything is sent', async () => {
  const { connection } = await talkTo({})
  await expect(connection.files.write('', Buffer.alloc(0), owner)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(connection.files.write('/a\0', Buffer.alloc(0), owner)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  connection.close()
})

it('many files at once all arrive', async () => {
  let arrived = 0
  const { connection } = await talkTo(
    taking(
      (data) => ({ type: 'Written', sizeBytes: data.length }),
      () => void arrived++,
    ),
  )
  await Promise.all(
    Array.from({ length: 300 }, (_, index) => connection.files.write(`/f${index}`, Buffer.alloc(1000, index), owner)),
  )
  expect(arrived).toBe(300)
  connection.close()
})

it('an early refusal lets the source go at once, also one that is asleep', async () => {
  const { connection } = await talkTo({
    onWriteFile: (_message, stream) =>
      void stream.end(encodeMessage({ type: 'Failed', errno: 'ENOSPC', step: 'write', message: 'no space left' })),
  })
  let released = false
  const asleep: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => {}),
      return: async () => {
        released = true
        return { done: true, value: undefined }
      },
    }),
  }
  await expect(connection.files.write('/a', asleep, owner)).rejects.toMatchObject({ errno: 'ENOSPC' })
  expect(released).toBe(true)
  connection.close()
})

it('a source that fails resets the stream, and its own error is thrown', async () => {
  let ended = false
  let closed = false
  const { connection } = await talkTo({
    onWriteFile: (_message, stream) => {
      stream.resume()
      stream.on('end', () => {
        ended = true
      })
      stream.on('close', () => {
        closed = true
      })
    },
  })
  const broken = new Error('the disk is gone')
  const source = async function* () {
    yield Buffer.alloc(100_000)
    await connection.ping() // by now the guest has begun
    throw broken
  }
  await expect(connection.files.write('/a', source(), owner)).rejects.toBe(broken)
  await expect.poll(() => closed).toBe(true)
  expect(ended).toBe(false)
  connection.close()
})

it('Written before all was sent is not believed', async () => {
  const { connection } = await talkTo({
    onWriteFile: (_message, stream) => {
      stream.write(encodeMessage({ type: 'Written', sizeBytes: 0 }))
      stream.resume()
    },
  })
  const source = async function* () {
    yield Buffer.alloc(1)
    await new Promise(() => {})
  }
  await expect(connection.files.write('/a', source(), owner)).rejects.toMatchObject({ code: 'PROTOCOL' })
})

it('appending says so, and says no mode', async () => {
  const said: HostMessage[] = []
  const { connection } = await talkTo(
    taking(
      (data) => ({ type: 'Written', sizeBytes: data.length }),
      (message) => void said.push(message),
    ),
  )
  await connection.files.write('/a', Buffer.from('x'), { user: 'root', append: true })
  expect(said).toEqual([{ type: 'WriteFile', path: '/a', user: 'root', append: 1 }])
  connection.close()
})

it('a source that never waits is let go when it gives its own call up', async () => {
  const { connection } = await talkTo({ onWriteFile: (_message, stream) => void stream.resume() })
  const giveUp = new AbortController()
  let released = false
  const source = async function* () {
    try {
      for (let index = 0; ; index++) {
        if (index === 2) giveUp.abort(new Error('enough'))
        yield Buffer.alloc(10)
      }
    } finally {
      released = true
    }
  }
  await expect(connection.files.write('/a', source(), { ...owner, signal: giveUp.signal })).rejects.toThrow('enough')
  await expect.poll(() => released).toBe(true)
  connection.close()
})
