/** A copy of a guest's memory that takes no more than what the guest has touched: what is zero stays a hole. */

import { spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { findProgram } from '../../hypervisor/index.ts'

/** Read at once where `cp` cannot do it, in bytes: what is zero for as long becomes a hole. */
const pieceBytes = 65_536

/**
 * By GNU cp, which asks the file system where the data is and never reads a hole (Node cannot ask: it has no lseek), and shares the blocks where the file system can.
 * Where there is none, all of it is read, and what is not zero is written.
 *
 * @param to is made, or overwritten
 * @throws what the file system says; the signal's reason.
 */
export async function copySparsely(from: string, to: string, signal: AbortSignal): Promise<void> {
  // Made here, for its owner to write to: a copy has the mode of what it is a copy of.
  await (await open(to, 'w', 0o600)).close()
  const cp = await findProgram('cp')
  signal.throwIfAborted()
  if (cp === undefined || !(await copyBy(cp, from, to, signal))) await copyByReading(from, to, signal)
  signal.throwIfAborted()
}

/** False when it could not: why is better said by trying without it. Resolves when its process has ended. */
function copyBy(cp: string, from: string, to: string, signal: AbortSignal): Promise<boolean> {
  const words = ['--reflink=auto', '--sparse=always', '--', from, to]
  const child = spawn(cp, words, { signal, killSignal: 'SIGKILL', stdio: 'ignore', env: {} })
  return new Promise((resolve) => {
    child.once('close', (code) => resolve(code === 0))
    child.on('error', () => {
      // One that has been started ends, and is waited for.
      if (child.pid === undefined) resolve(false)
    })
  })
}

/** @internal */
export async function copyByReading(from: string, to: string, signal: AbortSignal): Promise<void> {
  const source = await open(from, 'r')
  try {
    const target = await open(to, 'w', 0o600)
    try {
      const [piece, zeros] = [Buffer.allocUnsafe(pieceBytes), Buffer.alloc(pieceBytes)]
      for (let at = 0; ; ) {
        signal.throwIfAborted()
        const { bytesRead } = await source.read(piece, 0, pieceBytes, at)
        if (bytesRead === 0) return await target.truncate(at)
        const read = piece.subarray(0, bytesRead)
        if (!read.equals(zeros.subarray(0, bytesRead))) await target.write(read, 0, bytesRead, at)
        at += bytesRead
      }
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}
