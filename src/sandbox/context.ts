/** What the parts of a sandbox share: its guest, its defaults, and how a call to it is made. */

import type { AgentConnection } from '../agent/index.ts'

/** One sandbox, as its processes, files, terminals and ports see it. */
export interface SandboxContext {
  readonly id: string
  readonly connection: AgentConnection
  readonly env: Readonly<Record<string, string | undefined>>
  readonly user: string
  readonly cwd: string
  /**
   * Asks the guest something, which is no activity.
   *
   * @throws `SANDBOX_GONE` when the sandbox has ended or does meanwhile; what else `work` fails with, with the sandbox's id.
   */
  ask<T>(work: () => Promise<T>): Promise<T>
  /** Makes one call to the guest, as `ask` does: counts it as activity while it lasts. */
  call<T>(work: () => Promise<T>): Promise<T>
  /** Turns a failure of the connection into the error the caller should see. */
  explain(error: unknown): Promise<unknown>
  /** Whether the guest still answers. */
  isReachable(): Promise<boolean>
  /** @throws `SANDBOX_GONE` */
  assertRunning(): void
  /** Something is under way from now until the returned function is called: the sandbox is not idle. */
  enter(): () => void
  /** Something happened: the idle time begins anew. */
  touch(): void
  /** Resolves when the microVM has ended, for whatever reason. */
  readonly ended: Promise<unknown>
}
