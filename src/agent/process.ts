/** What the rest of warmcell sees of a process in the guest. */

import type { Readable, Writable } from 'node:stream'

export interface ProcessSpec {
  /** The program and its arguments; no shell reads them. */
  arguments: readonly string[]
  environment: Readonly<Record<string, string>>
  cwd: string
  user: string
  stdin: 'pipe' | 'closed'
  /** A terminal of this size in place of the three pipes. `stdin` is 'pipe' then. */
  terminal?: { columns: number; rows: number }
}

export interface GuestExit {
  /** 0…255: the process's own, or 128 and the signal's number. */
  exitCode: number
  /** 0 when it ended by itself. */
  signal: number
  oomKilled: boolean
}

export interface GuestProcess {
  /** Its number as the guest's programs see it. */
  readonly pid: number
  /** Ended from the start unless the spec says 'pipe'. It is destroyed when the process ends. */
  readonly stdin: Writable
  /** What nobody reads holds the process back once 256 KiB wait. Destroying it drops what is still printed. */
  readonly stdout: Readable
  /** Of a process at a terminal it is empty: there is one stream for all it prints. */
  readonly stderr: Readable
  /** Rejects with GUEST_UNREACHABLE or PROTOCOL when the connection ends first, or the process was abandoned. Need not be handled. */
  readonly exited: Promise<GuestExit>
  /** Signals its process group; false when nobody was left to receive it. */
  signal(number: number): Promise<boolean>
  /** SIGTERM to its group, SIGKILL after this many milliseconds. Nothing happens when it has ended. */
  terminate(graceMs: number): void
  /** Changes the size of its terminal, each way 1 to 65,535. Of no meaning to a process without one. */
  resize(columns: number, rows: number): void
  /** Kills its group now and drops what it still prints. */
  abandon(): void
}
