/** The content of a guest's file: whole, within a bound, or as a stream. */

import type { OpenFile } from '../../agent/index.ts'
import { onAbort } from '../../common/on-abort.ts'
import { RetainedBytes } from '../../common/retained.ts'
import { FileError } from '../../errors.ts'

/** What is read into memory at most, in bytes: while it is put together it takes twice as much, and a string holds no more than twice that. */
const readBytesMax = 256 * 1_024 * 1_024

/** Nothing is removed and nothing refused: a byte order mark stays, and what is no UTF-8 becomes U+FFFD. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** All of it. @throws `FILE` with `EFBIG` when that is more than fits; `path` names it there. */
export async function readWhole(file: OpenFile, path: string): Promise<Uint8Array> {
  const kept = new RetainedBytes(readBytesMax, 'head')
  try {
    if (file.sizeBytes > readBytesMax) throw tooLarge(path)
    for (let chunk = await file.next(); chunk !== undefined; chunk = await file.next()) {
      kept.push(chunk)
      if (kept.droppedBytes > 0) throw tooLarge(path)
    }
    return ownBytes(kept.bytes())
  } finally {
    file.close()
  }
}

export function asText(bytes: Uint8Array): string {
  return utf8.decode(bytes)
}

/** How a stream touches its surroundings. */
export interface StreamHooks {
  /** Makes one reading a call of the sandbox: activity, and errors in the caller's words. */
  readonly call: <T>(work: () => Promise<T>) => Promise<T>
  readonly signal: AbortSignal | undefined
}

/** As a web stream. One piece is taken from the guest per piece read, so that backpressure reaches the guest; cancelling ends the reading there. */
export function asStream(file: OpenFile, { call, signal }: StreamHooks): ReadableStream<Uint8Array> {
  let closed = false
  let unlink: (() => void) | undefined
  const close = (): void => {
    closed = true
    unlink?.()
    file.close()
  }
  /** Undefined at the end, whoever has brought it about. */
  const next = async (): Promise<Uint8Array | undefined> => {
    try {
      return await file.next()
    } catch (error) {
      if (closed) return undefined
      throw error
    }
  }
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        const abort = (): void => {
          close()
          controller.error(signal?.reason)
        }
        if (signal?.aborted === true) abort()
        else unlink = signal && onAbort(signal, abort)
      },
      pull: async (controller) => {
        try {
          const chunk = await call(next)
          if (closed) return
          // A copy: what came lies beside what else came, and the reader may give its own away.
          if (chunk !== undefined) controller.enqueue(new Uint8Array(chunk))
          else {
            close()
            controller.close()
          }
        } catch (error) {
          close()
          throw error
        }
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  )
}

/** Bytes whose buffer holds nothing else. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes)
}

function tooLarge(path: string): FileError {
  const message = `'${path}' was not read: it has more than the ${readBytesMax} bytes that are read into memory.`
  return new FileError(path, 'EFBIG', message, { hint: "Read it as a stream (format: 'stream'), or download it." })
}
