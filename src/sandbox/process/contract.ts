/** What the caller of a sandbox sees of its processes. */

import type { CallOptions } from '../../common/deadline.ts'
import type { OutputStream } from './output.ts'
import type { ExecResult } from './result.ts'
import type { SignalName } from './signals.ts'

/** A piece of output and where it came from. */
export interface OutputChunk {
  stream: OutputStream
  data: Uint8Array
}

/**
 * A process in a sandbox. Output that nobody reads holds the process back once 256 KiB of it wait, as a pipe does; `wait()` reads what
 * nobody else does. Disposing of it kills its process group.
 *
 * @example
 * ```ts
 * await using sandbox = await createSandbox()
 * await using process = await sandbox.spawn(['sort'], { stdin: 'pipe' })
 * const writer = process.stdin.getWriter()
 * await writer.write('b\na\n')
 * await writer.close()
 * console.log((await process.wait()).stdout)
 * ```
 */
export interface Process extends AsyncIterable<OutputChunk>, AsyncDisposable {
  /** Unique in its sandbox. */
  readonly id: string
  /** The process's number as the guest's programs see it. */
  readonly pid: number
  /** Closed from the start unless `stdin: 'pipe'` was asked for. */
  readonly stdin: WritableStream<string | Uint8Array>
  readonly stdout: ReadableStream<Uint8Array>
  readonly stderr: ReadableStream<Uint8Array>
  /**
   * How it ended. May be called more than once, and after the end.
   *
   * @throws `TIMEOUT` or the signal's reason when the wait ends first (the process goes on), `SANDBOX_GONE`, or the reason of the signal given to `spawn`.
   */
  wait(options?: CallOptions): Promise<ExecResult>
  /** Sends a signal (default SIGTERM) to its process group. Resolves with false when it has ended already. */
  kill(signal?: SignalName): Promise<boolean>
  /** Lets go of it: it runs on until its sandbox ends, what it prints is dropped. */
  detach(): void
}

export interface ProcessInfo {
  id: string
  /** As the guest's programs see it. */
  pid: number
  command: string[]
  user: string
  startedAt: Date
  /** Whether it runs at a terminal. */
  pty: boolean
}

/** What `spawn` and `pty.create` have started in a sandbox, and `exec` while it runs. */
export interface Processes {
  /** Those that have not ended, oldest first. */
  list(): Promise<ProcessInfo[]>
  /** One that has not ended, to attach to it again. A terminal is found with `pty.get`. */
  get(id: string): Process | undefined
}
