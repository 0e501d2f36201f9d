/** What the caller of a sandbox sees of its terminals. */

import type { CallOptions } from '../../common/deadline.ts'
import type { SignalName } from '../process/signals.ts'

export interface PtyOptions extends CallOptions {
  /** Default: the user's login shell. */
  command?: readonly string[]
  /** Default 80. */
  cols?: number
  /** Default 24. */
  rows?: number
  cwd?: string
  env?: Record<string, string | undefined>
  user?: string
}

/** A program at a terminal. Iterating gives what it prints, beginning with what the screen shows. */
export interface Pty extends AsyncIterable<Uint8Array>, AsyncDisposable {
  readonly id: string
  readonly pid: number
  write(data: string | Uint8Array): Promise<void>
  resize(cols: number, rows: number): Promise<void>
  wait(options?: CallOptions): Promise<{ exitCode: number; signal: SignalName | null }>
  /** To the process group of its first program. Default SIGHUP, which is what a terminal that is closed sends. */
  kill(signal?: SignalName): Promise<boolean>
}

export interface Ptys {
  create(options?: PtyOptions): Promise<Pty>
  /** One that has not ended, to attach to it again. */
  get(id: string): Pty | undefined
}
