/** The reader of messages, in both directions: the same messages whatever the chunks, and what it accepts can be said again. */

import assert from 'node:assert/strict'
import { type Direction, encodeMessage, type Message, MessageReader } from '../../src/agent/index.ts'
import { outcomeOf } from './oracle.ts'
import type { Target } from './target.ts'

function read(chunks: readonly Buffer[], towards: Direction): { messages: Message[]; refused: string | undefined } {
  const reader = new MessageReader(towards)
  const messages: Message[] = []
  const refused = outcomeOf(() => {
    for (const chunk of chunks) {
      reader.push(chunk)
      for (let message = reader.next(); message !== undefined; message = reader.next()) messages.push(message)
    }
  })
  return { messages, refused: refused?.message }
}

export const messages: Target = (bytes, chunks) => {
  for (const towards of ['host', 'guest'] as const) {
    const whole = read([bytes], towards)
    assert.deepEqual(read(chunks, towards), whole)
    for (const message of whole.messages) {
      // What may be read and not said: NUL in a text.
      if (
        Object.values(message)
          .flat()
          .some((value) => typeof value === 'string' && value.includes('\0'))
      )
        continue
      assert.deepEqual(read([encodeMessage(message)], towards), { messages: [message], refused: undefined })
    }
  }
}
