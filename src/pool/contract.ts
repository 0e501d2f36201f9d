/** What a pool offers its users. */

import type { DestroyReason, WarmcellError } from '../errors.ts'
import type { Sandbox, SandboxInfo } from '../sandbox/index.ts'
import type { CreateSandboxOptions } from './options.ts'
import type { PoolStats } from './stats.ts'

export interface PoolEvents {
  /** A sandbox was served without warm stock. */
  miss: [SandboxInfo]
  /** The budget had no room for a create. */
  exhausted: [{ waiting: number }]
  bootFailed: [WarmcellError]
  destroyed: [SandboxInfo, DestroyReason]
}

/**
 * Makes sandboxes from templates, within a budget, and owns every one of them: closing the pool ends them all.
 *
 * @example
 * ```ts
 * await using pool = await createPool({ isolation: 'emulated' })
 * await using sandbox = await pool.createSandbox({ tenant: 'alice' })
 * console.log((await sandbox.exec(['uname', '-a'])).stdout)
 * ```
 */
export interface Pool extends AsyncDisposable {
  /**
   * Resolves only once a command can run.
   *
   * @throws `INVALID_ARGUMENT`, `POOL_CLOSED`, `POOL_EXHAUSTED`, `BOOT_FAILED`, `IMAGE`, `FILE` (a file of `files`), or the signal's reason. Nothing is left behind.
   */
  createSandbox(options?: CreateSandboxOptions): Promise<Sandbox>
  getSandbox(id: string): Sandbox | undefined
  /** Those that have not ended, oldest first; with a filter, those that match all of it. */
  listSandboxes(filter?: { tenant?: string; metadata?: Record<string, string> }): SandboxInfo[]
  /** Resolves with false when there is no such sandbox (any more). */
  destroySandbox(id: string): Promise<boolean>
  stats(): PoolStats
  /**
   * 'destroy' (default) ends everything now; 'drain' takes no new work and waits until every sandbox has ended, also those that are
   * being created, for at most `timeoutMs`, then destroys. Idempotent; disposal destroys.
   *
   * @throws `INVALID_ARGUMENT`
   */
  close(options?: { mode?: 'drain' | 'destroy'; timeoutMs?: number }): Promise<void>
  on<K extends keyof PoolEvents>(event: K, listener: (...args: PoolEvents[K]) => void): this
  off<K extends keyof PoolEvents>(event: K, listener: (...args: PoolEvents[K]) => void): this
  once<K extends keyof PoolEvents>(event: K, listener: (...args: PoolEvents[K]) => void): this
}
