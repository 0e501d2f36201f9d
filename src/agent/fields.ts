/** The bytes of a message: a length, a type, flat fields. What they mean is not known here. */

import { violation } from '../mux/index.ts'

/** A tag and its value. */
export type Field = readonly [tag: number, value: Uint8Array]

/** The length that comes before every message. */
export const lengthBytes = 4

/** A tag and a size come before every value. */
const fieldHeaderBytes = 5

/** The whole message, with its length. */
export function encodeFields(type: number, fields: readonly Field[]): Buffer {
  const size = fields.reduce((sum, [, value]) => sum + fieldHeaderBytes + value.length, 1)
  const bytes = Buffer.allocUnsafe(lengthBytes + size)
  bytes.writeUInt32BE(size)
  bytes[lengthBytes] = type
  let offset = lengthBytes + 1
  for (const [tag, value] of fields) {
    bytes[offset] = tag
    bytes.writeUInt32BE(value.length, offset + 1)
    bytes.set(value, offset + fieldHeaderBytes)
    offset += fieldHeaderBytes + value.length
  }
  return bytes
}

/**
 * The fields of a message (without its length, with its type), as views on it.
 *
 * @throws PROTOCOL when they do not end where the message ends.
 */
export function decodeFields(body: Buffer): Array<readonly [tag: number, value: Buffer]> {
  const fields: Array<readonly [number, Buffer]> = []
  let offset = 1
  while (offset < body.length) {
    const start = offset + fieldHeaderBytes
    const end = start <= body.length ? start + body.readUInt32BE(offset + 1) : start
    if (end > body.length) throw violation('a field that runs past the end of its message')
    fields.push([body[offset] ?? 0, body.subarray(start, end)])
    offset = end
  }
  return fields
}
