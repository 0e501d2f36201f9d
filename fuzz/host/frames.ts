/** The decoder of frames: the same frames whatever the chunks, or the same refusal. */

import assert from 'node:assert/strict'
import { encodeHeader, FrameDecoder, type FrameHeader, headerBytes, windowBytes } from '../../src/mux/index.ts'
import { outcomeOf } from './oracle.ts'
import type { Target } from './target.ts'

interface Decoded {
  headers: FrameHeader[]
  bodies: Buffer
  ended: number
  refused: string | undefined
}

function decode(chunks: readonly Buffer[]): Decoded {
  const headers: FrameHeader[] = []
  const bodies: Buffer[] = []
  const decoder = new FrameDecoder({ header: (header) => headers.push(header), body: (piece) => bodies.push(piece) })
  const refused = outcomeOf(() => {
    for (const chunk of chunks) decoder.push(chunk)
  })
  return { headers, bodies: Buffer.concat(bodies), ended: decoder.framesEnded, refused: refused?.message }
}

export const frames: Target = (bytes, chunks) => {
  const whole = decode([bytes])
  assert.deepEqual(decode(chunks), whole)
  for (const { type, flags, streamId, length } of whole.headers) {
    assert.ok(type !== 0 || length <= windowBytes, 'no body is larger than a window')
    const again = Buffer.alloc(headerBytes)
    encodeHeader(again, 0, type, flags, streamId, length)
    assert.ok(bytes.includes(again), 'a header is what came')
  }
}
