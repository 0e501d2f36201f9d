/** How a fake guest answers on a stream of the wire, and is done with it. */

import type { Duplex } from 'node:stream'
import { encodeMessage, type GuestMessage } from '../agent/index.ts'

export function answer(stream: Duplex, message: GuestMessage): void {
  stream.end(encodeMessage(message))
  stream.resume()
}

export function refuse(stream: Duplex, errno: string, step: string, message: string): void {
  answer(stream, { type: 'Failed', errno, step, message: message.slice(0, 1_000) })
}
