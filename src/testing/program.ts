/** What a program of the fake guest is, and what it sees of the world. */

import type { SignalName } from '../sandbox/index.ts'
import type { FakeServer } from './fake-ports.ts'

/**
 * A program: returns its exit code. One that throws exits with 1 and prints the error to stderr.
 *
 * It cannot be interrupted from outside: one that may run long has to await something that ends with `process.signal`, or to write.
 *
 * @example
 * ```ts
 * const shout: FakeProgram = async ({ stdin, stdout }) => {
 *   for await (const chunk of stdin) await stdout.write(Buffer.from(chunk).toString().toUpperCase())
 *   return 0
 * }
 * ```
 */
export type FakeProgram = (process: FakeProcess) => number | Promise<number>

/** Where a program prints. */
export interface FakeOutput {
  /**
   * Resolves when there is room for more: a program that awaits it is held back by its reader, as by a pipe. When nobody reads any
   * more the data is dropped.
   *
   * @throws when the process has been ended: nothing of it runs on.
   */
  write(data: string | Uint8Array): Promise<void>
}

/** One running program. */
export interface FakeProcess {
  /** Its name as it was called, then its arguments. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly user: string
  readonly pid: number
  /** Empty when the process was started without input. Leaving the loop early closes it: what still comes is dropped. */
  readonly stdin: AsyncIterable<Uint8Array>
  readonly stdout: FakeOutput
  readonly stderr: FakeOutput
  /**
   * Of a process that `pty.create` has started: its size, which changes with `resize`, and then SIGWINCH comes. Of a terminal's line discipline there
   * are Ctrl-C, Ctrl-Z and Ctrl-\\, which send their signals; stdin is what was typed, without echo, and stderr is stdout.
   */
  readonly terminal?: { readonly columns: number; readonly rows: number }
  /** Fires when the process has been ended by a signal, or its guest has ended. */
  readonly signal: AbortSignal
  /** The guest's files by absolute path: those of `createSandbox({ files })`, and whatever programs put there. */
  readonly files: Map<string, Uint8Array>
  /** Every program of the guest, by name. */
  readonly programs: ReadonlyMap<string, FakeProgram>
  /** Handles a signal in place of what it does by default. SIGKILL cannot be handled. */
  onSignal(name: SignalName, handler: () => void): void
  /**
   * Listens on a port of the guest, until the process ends (then its connections are reset) or the function that it returns is called. Each connection is one that the
   * host has made, by `ports.connect` or through an exposed port; destroying it resets it.
   *
   * @throws an error with the code `EADDRINUSE` when another process listens there.
   */
  listen(port: number, server: FakeServer): () => void
}
