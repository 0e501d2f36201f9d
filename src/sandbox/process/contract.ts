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
 * nobody else does. Disposing of it kills its process group, unless it was detached.
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
  /** Whoever holds its reader while `wait()` goes on reads it to its end: what a reader that is released by then has left holds the process back. */
  readonly stdout: ReadableStream<Uint8Array>
  /** As `stdout`. */
  readonly stderr: ReadableStream<Uint8Array>
  /**
   * How it ended. May be called more than once, and after the end.
   *
   * @throws `TIMEOUT` or the signal's reason when the wait ends first (the process goes on), `SANDBOX_GONE`, or the reason of the signal given to `spawn`.
   */
  wait(options?: CallOptions): Promise<ExecResult>
  /** Sends a signal (default SIGTERM) to its process group. Resolves with false when it has ended already. */
  kill(signal?: SignalName): Promise<boolean>
  /**
   * Lets go of it, for as long as it lives: it runs on until it ends or its sandbox does, it is not killed when disposed of, and it does not
   * keep its sandbox from being idle. Whoever reads its output at that moment sees the end of it; from then on whatever nobody reads is taken
   * and its last 256 KiB are kept, of both streams together. Reading it again begins with what is kept, and while somebody reads, their pace
   * is the process's. Calling it again ends that reading.
   */
  detach(): void
  /** How many bytes were printed while it was detached and nobody read, and are not kept any more. `wait()` may have them still. */
  readonly missedBytes: number
}

/** What is known of a process. */
export interface ProcessInfo {
  id: string
  /** As the guest's programs see it. */
  pid: number
  /** With its arguments; a string is shown as the `/bin/sh -c` that runs it. */
  command: string[]
  /** As it was asked for. */
  user: string
  /** By the clock of the host. */
  startedAt: Date
  /** Whether it runs at a terminal. */
  pty: boolean
}

/**
 * What `spawn` and `pty.create` have started in a sandbox, and `exec` while it runs; not what these have started in turn.
 *
 * @example
 * ```ts
 * await using sandbox = await createSandbox()
 * const build = await sandbox.spawn('echo compiling; sleep 0.2; echo done')
 * build.detach()
 * for (const { id, command } of await sandbox.processes.list()) console.log(id, command.join(' '))
 * // Later, and somewhere else:
 * const again = sandbox.processes.get(build.id)
 * if (again) for await (const { data } of again) console.log(Buffer.from(data).toString())
 * ```
 */
export interface Processes {
  /** Those that have not ended, oldest first. @throws `SANDBOX_GONE` */
  list(): Promise<ProcessInfo[]>
  /**
   * One that has not ended: the same object that `spawn` gave. A terminal is found with `pty.get`. One of `exec` can be waited for and killed;
   * what it prints goes to the caller of `exec`, and reading it is at the end at once.
   */
  get(id: string): Process | undefined
}
