/** What the caller of a sandbox sees: the sandbox, its processes, what is known of both. */

import type { CallOptions } from '../common/deadline.ts'
import type { DestroyReason } from '../errors.ts'
import type { Isolation } from '../hypervisor/index.ts'
import type { Command, ExecOptions, SpawnOptions } from './options.ts'
import type { OutputStream } from './output.ts'
import type { ExecResult } from './result.ts'
import type { SignalName } from './signals.ts'

export type SandboxState = 'running' | 'destroying' | 'destroyed' | 'crashed'

export interface SandboxInfo {
  id: string
  /** Whose code it runs; bound for life. */
  tenant?: string
  template: string
  state: SandboxState
  /** How its microVM was made. */
  origin: 'warm' | 'clone' | 'boot'
  isolation: Isolation
  createdAt: Date
  expiresAt?: Date
  /** From the call to the first moment a command could run, in milliseconds. */
  createMs: number
  metadata: Record<string, string>
}

export interface SandboxEvents {
  state: [SandboxState]
  destroyed: [DestroyReason]
}

/**
 * One tenant's microVM. It is used once: destroyed, never reset.
 *
 * @example
 * ```ts
 * await using sandbox = await createSandbox()
 * const { stdout } = await sandbox.exec('echo hello from $(uname -r)')
 * console.log(stdout)
 * ```
 */
export interface Sandbox extends AsyncDisposable {
  readonly id: string
  readonly tenant?: string
  readonly state: SandboxState
  /**
   * Runs a command to its end. Any exit code resolves; so does a timeout, with what was printed.
   *
   * @throws `INVALID_ARGUMENT`, `SPAWN_FAILED` (no such command, user or directory), `SANDBOX_GONE`, `GUEST_UNREACHABLE`, `COMMAND_EXIT`
   * with `check`, or the signal's reason.
   */
  exec(command: Command, options?: ExecOptions): Promise<ExecResult>
  /**
   * Starts a command; resolves when the process has started.
   *
   * @throws as `exec`.
   */
  spawn(command: Command, options?: SpawnOptions): Promise<Process>
  info(): SandboxInfo
  /** Ends the lifetime `ms` from now, whatever was left; returns when that is. */
  extendTimeout(ms: number): Date
  /** Resolves when nothing of it is left. Idempotent. */
  destroy(): Promise<void>
  on<K extends keyof SandboxEvents>(event: K, listener: (...args: SandboxEvents[K]) => void): this
  off<K extends keyof SandboxEvents>(event: K, listener: (...args: SandboxEvents[K]) => void): this
  once<K extends keyof SandboxEvents>(event: K, listener: (...args: SandboxEvents[K]) => void): this
}

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
