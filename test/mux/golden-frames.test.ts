import { describe, expect, it } from 'vitest'
import { decodeHeader, encodeHeader, headerBytes, MuxSession } from '../../src/mux/index.ts'
import { memoryPair } from './pipes.ts'
import { vectors } from './vectors.ts'

describe('golden frames', () => {
  it.each(vectors('frame'))('%s', (_name, hex = '', meaning = '') => {
    const [type = 0, flags = 0, streamId = 0, length = 0] = meaning.split(' ').map(Number)
    expect(decodeHeader(Buffer.from(hex, 'hex'), 0)).toEqual({ type, flags, streamId, length })
    const encoded = Buffer.alloc(headerBytes)
    encodeHeader(encoded, 0, type, flags, streamId, length)
    expect(encoded.toString('hex')).toBe(hex)
  })
})

describe('a frame that is wrong whatever the state ends the session', () => {
  it.each(vectors('bad-frame'))('%s', async (_name, hex = '') => {
    const [near, far] = memoryPair()
    const session = new MuxSession(near, { role: 'client' })
    far.on('error', () => {})
    far.write(Buffer.from(hex, 'hex'))
    expect(await session.ended).toMatchObject({ code: 'PROTOCOL', message: expect.stringContaining('rules of the wire') })
  })
})
