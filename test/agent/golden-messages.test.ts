import { describe, expect, it } from 'vitest'
import { decodeFields, encodeFields } from '../../src/agent/fields.ts'
import { type Direction, encodeMessage, type Message, MessageReader, messageBytesMax } from '../../src/agent/index.ts'
import { vectors } from '../mux/vectors.ts'

const directionOf = (bytesMax: number): Direction => (bytesMax === messageBytesMax.guest ? 'guest' : 'host')

/** All messages in the bytes, as the reader of that direction gives them. */
function readAll(bytes: Buffer, towards: Direction): Message[] {
  const reader = new MessageReader(towards)
  const messages: Message[] = []
  reader.push(bytes)
  for (let message = reader.next(); message !== undefined; message = reader.next()) messages.push(message)
  return messages
}

describe('golden messages', () => {
  it.each(vectors('message'))('%s', (_name, hex = '', meaning = '') => {
    const bytes = Buffer.from(hex, 'hex')
    const [type = '', ...fields] = meaning.split(' ')
    const expected = fields.map((field) => {
      const [tag = '', value = ''] = field.split('=')
      return [Number(tag), value] as const
    })
    // As bytes: every field, also those that are not known.
    const body = bytes.subarray(4)
    expect(bytes.readUInt32BE()).toBe(body.length)
    expect(body[0]).toBe(Number.parseInt(type, 16))
    expect(decodeFields(body).map(([tag, value]) => [tag, value.toString('hex')])).toEqual(expected)
    expect(
      encodeFields(
        Number.parseInt(type, 16),
        expected.map(([tag, value]) => [tag, Buffer.from(value, 'hex')]),
      ).toString('hex'),
    ).toBe(hex)
    // As a message: what is known, and back to the same bytes unless something was skipped.
    const direction: Direction = Number.parseInt(type, 16) < 0x80 ? 'guest' : 'host'
    const [message, ...more] = readAll(bytes, direction)
    expect(more).toEqual([])
    if (message === undefined) throw new Error('no message was read')
    const known = expected.every(([tag]) => tag < 9)
    if (known) expect(encodeMessage(message).toString('hex')).toBe(hex)
    else expect(encodeMessage(message).length).toBeLessThan(bytes.length)
  })

  it('decode to the values they name', () => {
    const byName = new Map(vectors('message').map(([name = '', hex = '']) => [name, Buffer.from(hex, 'hex')]))
    const read = (name: string, towards: Direction): Message | undefined =>
      readAll(byName.get(name) ?? Buffer.alloc(0), towards)[0]
    expect(read('start with everything', 'guest')).toEqual({
      type: 'Start',
      arguments: ['sh', '-c', 'echo "$A"; cat', ''],
      environment: ['PATH=/usr/bin:/bin', 'A=b=c', 'EMPTY='],
      cwd: '/home/tenant',
      user: 'tenant',
      stdin: 1,
    })
    expect(read('hello', 'guest')).toMatchObject({
      generation: 3,
      wallClockNs: 1_735_689_600_123_456_789n,
      hostname: 'warmcell-7f3a',
      generationId: 0n,
      template: 0,
    })
    expect(read('hello to a template', 'guest')).toMatchObject({ generationId: 0n, template: 1 })
    expect(read('hello to a clone, with a generation id of 64 bits', 'guest')).toMatchObject({
      generationId: 0x8fed_cba9_8765_4321n,
    })
    expect(read('set clock', 'guest')).toEqual({ type: 'SetClock', wallClockNs: 1_735_689_600_123_456_789n })
    expect(read('quiesced, and three processes go on', 'host')).toEqual({ type: 'Quiesced', processes: 3 })
    expect(read('start with text beyond ASCII', 'guest')).toMatchObject({ arguments: ['printf', 'grüße 🌍'], cwd: '/tmp/ä' })
    expect(read('exited by SIGKILL for want of memory', 'host')).toEqual({
      type: 'Exited',
      exitCode: 137,
      signal: 9,
      oomKilled: 1,
    })
  })
})

describe('a bad message is refused', () => {
  it.each(vectors('bad-message'))('%s', (_name, hex = '', bytesMax = '') => {
    expect(() => readAll(Buffer.from(hex, 'hex'), directionOf(Number(bytesMax)))).toThrow(
      expect.objectContaining({ code: 'PROTOCOL', retryable: false }),
    )
  })
})
