/** A process's stdin: the writing half of a channel whose reading half, stdout, belongs to somebody else. */

import { Writable } from 'node:stream'
import type { MuxStream } from '../mux/index.ts'

/** What waits here before `write` says false: one frame. The channel below holds its own. */
const stdinBufferBytesMax = 65_536

type Callback = (error?: Error | null) => void

/** Ending it ends stdin alone; destroying it throws away what waits, ends stdin, and leaves stdout as it is. */
export function channelWriter(stdio: MuxStream): Writable {
  const stdin = new Writable({
    highWaterMark: stdinBufferBytesMax,
    write: (chunk: Buffer, _encoding: BufferEncoding, done: Callback) => void stdio.write(chunk, done),
    writev: (chunks: Array<{ chunk: Buffer }>, done: Callback) => {
      stdio.cork()
      chunks.forEach(({ chunk }, index) => {
        stdio.write(chunk, index === chunks.length - 1 ? done : undefined)
      })
      stdio.uncork()
    },
    final: (done: Callback) => {
      if (stdio.writableEnded) done()
      else stdio.end(done)
    },
    destroy: (error: Error | null, done: Callback) => {
      if (!stdio.writableEnded) stdio.discardWrites()
      done(error)
    },
  })
  // A guest that goes away mid-write must not become an uncaught exception of the host's process.
  stdin.on('error', () => {})
  if (stdio.writableEnded) stdin.end()
  stdio.once('close', () => stdin.destroy(stdio.errored ?? undefined))
  return stdin
}
