/** What the caller of a sandbox sees of it, and what is known of it. */

import type { CallOptions } from '../common/deadline.ts'
import type { DestroyReason } from '../errors.ts'
import type { ConfinementInfo } from '../host/index.ts'
import type { Isolation } from '../hypervisor/index.ts'
import type { CodeResult, RunCodeOptions } from './code/contract.ts'
import type { Files } from './files/contract.ts'
import type { Ports } from './ports/contract.ts'
import type { Process, Processes } from './process/contract.ts'
import type { Command, ExecOptions, SpawnOptions } from './process/options.ts'
import type { ExecResult } from './process/result.ts'
import type { Ptys } from './pty/contract.ts'

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
  /** What holds its microVM's process on the host, behind the guest's own kernel, and what of that this host does not offer. */
  confinement: ConfinementInfo
  createdAt: Date
  expiresAt?: Date
  /** From the call to the first moment a command could run, in milliseconds. */
  createMs: number
  metadata: Record<string, string>
}

export interface SandboxUsage {
  /** Processor time of its programs, in milliseconds; what ran in its template before is among it. */
  cpuMs: number
  /** Of its programs, with the files they have written to the writable layer. */
  memoryBytes: number
  memoryLimitBytes: number
  /** Of the writable layer. */
  diskBytes: number
  diskLimitBytes: number
  /** Processes and threads. */
  processes: number
  /** How many of its processes were ended for want of memory. */
  oomKills: number
  /** Since it was handed over, in milliseconds. */
  uptimeMs: number
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
  readonly files: Files
  readonly pty: Ptys
  readonly ports: Ports
  readonly processes: Processes
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
  /**
   * Runs source in an interpreter that is running already: what one call defines, the next finds. An exception of the code resolves, and so does a timeout. Its template
   * says which languages there are.
   *
   * @throws `UNSUPPORTED` when there are none, `INVALID_ARGUMENT`, `CONNECT` when the interpreter has ended, `PROTOCOL` when something answers in its place,
   * `SANDBOX_GONE`, `GUEST_UNREACHABLE`, `TIMEOUT` when not even the connection was made in time, or the signal's reason.
   */
  runCode(source: string, options?: RunCodeOptions): Promise<CodeResult>
  info(): SandboxInfo
  /**
   * What it takes now, and what it may take. Asking is no activity: it does not keep an idle sandbox.
   *
   * @throws `INVALID_ARGUMENT`, `SANDBOX_GONE`, `GUEST_UNREACHABLE`, `TIMEOUT`, `UNSUPPORTED` when the guest cannot tell, or the signal's reason.
   */
  usage(options?: CallOptions): Promise<SandboxUsage>
  /** Ends the lifetime `ms` from now, whatever was left; returns when that is. Counts as activity. */
  extendTimeout(ms: number): Date
  /** Resolves when nothing of it is left. Idempotent. */
  destroy(): Promise<void>
  on<K extends keyof SandboxEvents>(event: K, listener: (...args: SandboxEvents[K]) => void): this
  off<K extends keyof SandboxEvents>(event: K, listener: (...args: SandboxEvents[K]) => void): this
  once<K extends keyof SandboxEvents>(event: K, listener: (...args: SandboxEvents[K]) => void): this
}
