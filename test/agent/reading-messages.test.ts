import { Duplex, PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { encodeMessage, type Message, MessageReader, messageBytesMax, readMessage } from '../../src/agent/index.ts'

function readInChunks(bytes: Buffer, places: readonly number[]): Message[] {
  const cuts = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  const reader = new MessageReader('host')
  const messages: Message[] = []
  for (const [index, end] of cuts.slice(1).entries()) {
    reader.push(bytes.subarray(cuts[index], end))
    for (let message = reader.next(); message !== undefined; message = reader.next()) messages.push(message)
  }
  return messages
}

describe('the reader', () => {
  it('refuses a size before it keeps a byte of the message', () => {
    const reader = new MessageReader('host')
    const length = Buffer.alloc(4)
    length.writeUInt32BE(messageBytesMax.host + 1)
    reader.push(length)
    expect(() => reader.next()).toThrow(
      expect.objectContaining({ code: 'PROTOCOL', message: expect.stringContaining('65537 bytes') }),
    )
  })

  it('makes no property that the table does not name', () => {
    // Tags are numbers and names come from the table: a message cannot reach a prototype, whatever it carries.
    const [message] = readInChunks(
      encodeMessage({ type: 'Failed', errno: '__proto__', step: 'constructor', message: '{"__proto__":1}' }),
      [],
    )
    expect(Object.keys(message ?? {})).toEqual(['type', 'errno', 'step', 'message'])
    expect(Object.getPrototypeOf(message)).toBe(Object.prototype)
    expect(({} as Record<string, unknown>).errno).toBeUndefined()
  })
})

describe('the first message of a stream', () => {
  it('is read, and what follows stays for the next reader', async () => {
    const stream = new PassThrough()
    const bytes = Buffer.concat([encodeMessage({ type: 'Attach', process: 3, channel: 1 }), Buffer.from('then raw bytes')])
    stream.write(bytes.subarray(0, 3))
    stream.write(bytes.subarray(3, 20))
    stream.end(bytes.subarray(20))
    expect(await readMessage(stream, 'guest')).toEqual({ type: 'Attach', process: 3, channel: 1 })
    const rest: Buffer[] = []
    stream.on('data', (chunk: Buffer) => rest.push(chunk))
    await new Promise((resolve) => stream.on('end', resolve))
    expect(Buffer.concat(rest).toString()).toBe('then raw bytes')
  })

  it('that never becomes whole rejects when the stream ends or is destroyed', async () => {
    const half = new PassThrough()
    half.end(encodeMessage({ type: 'Started', pid: 1 }).subarray(0, 9))
    await expect(readMessage(half, 'host')).rejects.toMatchObject({ code: 'PROTOCOL' })
    const broken = new Duplex({ read() {}, write() {} })
    broken.on('error', () => {})
    const reading = readMessage(broken, 'host')
    broken.destroy(new Error('the reason'))
    await expect(reading).rejects.toThrow('the reason')
    await expect(readMessage(broken, 'host')).rejects.toThrow('the reason')
  })
})

describe('what cannot be sent is refused before it is', () => {
  const hello = { type: 'Hello', generation: 3, hostname: 'a', generationId: 0n, template: 0 } as const
  it.each<[string, Message]>([
    ['31 bytes of entropy', { ...hello, entropy: new Uint8Array(31), wallClockNs: 1n, machineId: 'f'.repeat(32) }],
    ['a machine id that is none', { ...hello, entropy: new Uint8Array(32), wallClockNs: 1n, machineId: 'f' }],
    ['a clock before 1970', { ...hello, entropy: new Uint8Array(32), wallClockNs: -1n, machineId: 'f'.repeat(32) }],
    [
      'a template that is neither',
      { ...hello, entropy: new Uint8Array(32), wallClockNs: 1n, machineId: 'f'.repeat(32), template: 2 },
    ],
    [
      'a generation id beyond 64 bits',
      { ...hello, entropy: new Uint8Array(32), wallClockNs: 1n, machineId: 'f'.repeat(32), generationId: 1n << 64n },
    ],
    ['signal 65', { type: 'Signal', signal: 65 }],
    ['half a signal', { type: 'Signal', signal: 1.5 }],
    ['no number', { type: 'Terminate', graceMs: Number.NaN }],
    ['no path', { type: 'WriteFile', path: '', mode: 0o644, user: 'root', append: 0 }],
    ['a NUL in a path', { type: 'WriteFile', path: '/etc/motd\0', mode: 0o644, user: 'root', append: 0 }],
    ['more than 1 MiB', { type: 'WriteFile', path: `/${'x'.repeat(1_048_576)}`, mode: 0o644, user: 'root', append: 0 }],
  ])('%s', (_name, message) => {
    expect(() => encodeMessage(message)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
