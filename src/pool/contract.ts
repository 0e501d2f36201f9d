/** What a pool offers its users. */

import type { DestroyReason, WarmcellError } from '../errors.ts'
import type { Sandbox, SandboxInfo } from '../sandbox/index.ts'
import type { TemplateInfo, TemplateSpec, WarmTarget } from '../template/index.ts'
import type { ReadyOptions, UpdateOptions } from './offerings.ts'
import type { CreateSandboxOptions } from './options.ts'
import type { PoolStats } from './stats.ts'

export interface PoolEvents {
  /** One more is warm; `ms` is how long its making took. */
  warm: [{ template: string; ms: number }]
  /** A sandbox was served from warm stock. */
  hit: [SandboxInfo]
  /** A sandbox was served, and nothing was warm for it. */
  miss: [SandboxInfo]
  /** A create has to wait for room in the budget or for stock, or was refused. `waiting` is how many stand in line. */
  exhausted: [{ waiting: number }]
  /** A microVM or a template could not be made. Creates that wait go on waiting, unless they are told of it themselves. */
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
 *
 * @example
 * ```ts
 * // Two wait, ready to be taken; bob gets three of what alice gets one of, when both want more than there is.
 * await using pool = await createPool({
 *   isolation: 'emulated',
 *   templates: { base: { resources: { memoryMib: 128 }, warm: 2 } },
 *   tenants: { bob: { weight: 3 }, default: { sandboxes: 10, createsPerMinute: 600 } },
 * })
 * await pool.ready()
 * await using sandbox = await pool.createSandbox({ tenant: 'bob' })
 * console.log(sandbox.info().origin, (await sandbox.exec('hostname')).stdout)
 * console.log(await pool.metrics())
 * ```
 */
export interface Pool extends AsyncDisposable {
  /**
   * Takes a warm microVM, or has one made; `onExhausted` says what else may happen. Resolves only once a command can run.
   *
   * @throws `INVALID_ARGUMENT`, `POOL_CLOSED`, `POOL_EXHAUSTED`, `TENANT_LIMIT`, `BOOT_FAILED` (also when the template cannot be built), `IMAGE`,
   * `HOST_UNSUPPORTED`, `FILE` (a file of `files`), or the signal's reason. Nothing is left behind; a template that is being built goes on being built.
   */
  createSandbox(options?: CreateSandboxOptions): Promise<Sandbox>
  getSandbox(id: string): Sandbox | undefined
  /** Those that have not ended, oldest first; with a filter, those that match all of it. */
  listSandboxes(filter?: { tenant?: string; metadata?: Record<string, string> }): SandboxInfo[]
  /** Resolves with false when there is no such sandbox (any more). */
  destroySandbox(id: string): Promise<boolean>
  /**
   * Resolves when `count` (default: its target) microVMs of the template are warm, and it is built; without a template, when every template has as many as its
   * target.
   *
   * @throws `INVALID_ARGUMENT` (also for a `count` that its target never reaches), `BOOT_FAILED` or `IMAGE` when the template cannot be built, `POOL_CLOSED`,
   * `TIMEOUT`, or the signal's reason.
   */
  ready(options?: ReadyOptions): Promise<void>
  /**
   * How many microVMs of the template are to be warm: a number, or bounds within which it follows demand. What is more is gone when this resolves; what is
   * missing is made from then on (`ready` waits for it).
   *
   * @throws `INVALID_ARGUMENT`, `POOL_CLOSED`
   */
  resize(template: string, warm: WarmTarget): Promise<void>
  /**
   * Replaces a template without downtime, or adds one. The new one is built first; creates go on from the old one, and if the build fails nothing has changed. Then
   * microVMs are made from the new one only; warm ones of the old one serve until new ones have taken their places. Resolves when no old one is left but what
   * tenants have. When the call ends early after the build, the replacement goes on.
   *
   * @throws `INVALID_ARGUMENT`, `POOL_CLOSED`, `BOOT_FAILED`, `IMAGE` or `HOST_UNSUPPORTED` when it cannot be built, `TIMEOUT`, or the signal's reason.
   */
  updateTemplate(name: string, spec: TemplateSpec, options?: UpdateOptions): Promise<TemplateInfo>
  stats(): PoolStats
  /** What `stats` says and more, as text that Prometheus reads. See docs/pool.md. */
  metrics(): Promise<string>
  /**
   * 'destroy' (default) ends everything now; 'drain' takes no new work, serves who stands in line, and waits until every sandbox has ended, for at most
   * `timeoutMs`, then destroys. Idempotent; disposal destroys.
   *
   * @throws `INVALID_ARGUMENT`
   */
  close(options?: { mode?: 'drain' | 'destroy'; timeoutMs?: number }): Promise<void>
  on<K extends keyof PoolEvents>(event: K, listener: (...args: PoolEvents[K]) => void): this
  off<K extends keyof PoolEvents>(event: K, listener: (...args: PoolEvents[K]) => void): this
  once<K extends keyof PoolEvents>(event: K, listener: (...args: PoolEvents[K]) => void): this
}
