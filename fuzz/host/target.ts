/** What is fuzzed of the host: everything that reads bytes of a guest, or of a QEMU that a guest has taken over. The first byte of an input says which, the second how the rest is cut into chunks. */

import { frames } from './frames.ts'
import { lines } from './lines.ts'
import { messages } from './messages.ts'
import { talk } from './talk.ts'
import { texts } from './texts.ts'

/** Runs on the bytes in the given chunks. @throws when a promise is broken: that is a finding. */
export type Target = (bytes: Buffer, chunks: readonly Buffer[]) => void | Promise<void>

/** By the number that the first byte says. New ones go to the end: inputs that were found are kept. */
const targets: readonly Target[] = [talk, frames, messages, lines, texts]

export async function fuzz(input: Buffer): Promise<void> {
  const [target, size] = [targets[(input[0] ?? 0) % targets.length], input[1] ?? 0]
  const bytes = Buffer.from(input.subarray(2))
  await target?.(bytes, cut(bytes, size))
  if (Object.keys(Object.prototype).length > 0) throw new Error('the prototype of all objects was changed')
}

/** 0: in one piece. */
function cut(bytes: Buffer, size: number): Buffer[] {
  if (size === 0) return [bytes]
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size))
}
