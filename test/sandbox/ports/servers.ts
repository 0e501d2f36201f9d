/** Programs of the fake guest that listen, for the tests of ports. */

import type { Duplex } from 'node:stream'
import type { Sandbox } from '../../../src/index.ts'
import { createFakePool, type FakePool, type FakePoolOptions, type FakeProgram } from '../../../src/testing/index.ts'

/** A program that listens on the port it is given, and ends with its process. */
export function serving(server: (connection: Duplex) => void): FakeProgram {
  return ({ argv, listen, signal }) => {
    listen(Number(argv[1] ?? 80), server)
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(0), { once: true }))
  }
}

/** Sends pieces of so many bytes to each client for ever, as fast as they are taken. */
export function flooding(pieceBytes: number): { readonly program: FakeProgram; takenBytes(): number } {
  let taken = 0
  const program = serving((connection) => {
    const more = (): void => {
      connection.write(Buffer.alloc(pieceBytes), (error) => {
        if (error) return
        taken += pieceBytes
        more()
      })
    }
    more()
  })
  return { program, takenBytes: () => taken }
}

/** Sends back what comes, to its end. */
const echo: FakeProgram = serving((connection) => void connection.on('error', () => {}).pipe(connection))

/** A pool whose guests have the programs, and `echo` as `echod`. */
export function poolWith(programs: Record<string, FakeProgram> = {}, options: FakePoolOptions = {}): FakePool {
  return createFakePool({ ...options, programs: { echod: echo, ...programs } })
}

/** Starts a program of it, and waits until it listens. */
export async function listening(sandbox: Sandbox, program = 'echod', port = 80): Promise<void> {
  await sandbox.spawn([program, String(port)])
  await sandbox.ports.waitFor(port)
}
