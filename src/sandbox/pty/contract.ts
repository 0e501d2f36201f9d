/** What the caller of a sandbox sees of its terminals. */

import type { CallOptions } from '../../common/deadline.ts'
import type { SignalName } from '../process/signals.ts'

export interface PtyOptions extends CallOptions {
  /** The program and its arguments, without a shell in between. Default: the user's login shell, or /bin/sh where there is none that can be run. */
  command?: readonly string[]
  /** Columns, 1 to 65,535. Default 80. */
  cols?: number
  /** 1 to 65,535. Default 24. */
  rows?: number
  /** Default: the sandbox's. A relative path starts at the sandbox's. */
  cwd?: string
  /** Over the sandbox's variables; `undefined` unsets one. `TERM` is `xterm-256color` unless it is set. */
  env?: Record<string, string | undefined>
  /** A name or `uid[:gid]` of the guest. Default: the sandbox's. */
  user?: string
}

/** How a program at a terminal ended. */
export interface PtyExit {
  /** 128 + n when ended by signal n. */
  exitCode: number
  /** The signal that ended it, if one did. */
  signal: SignalName | null
}

/**
 * A program at a terminal of its own. It goes on while nobody looks; disposing of it kills its process group and hangs the terminal up.
 *
 * Iterating it is looking at it: any number may at once, each from the moment of its first `next()`. The first who looks is given all that was
 * printed so far, as long as that is no more than 256 KiB. Everybody else begins with one chunk that draws what the screen shows, with its colours
 * and its cursor, on whatever was shown before. Then come the bytes as the program prints them; a chunk may begin or end inside a character.
 *
 * The program goes at the pace of who looks fastest, and at its own while nobody does. Whoever falls more than 256 KiB behind somebody else is
 * given the screen anew in place of what they missed.
 *
 * @example
 * ```ts
 * await using sandbox = await createSandbox()
 * await using terminal = await sandbox.pty.create({ command: ['sh'], cols: 120, rows: 40 })
 * await terminal.write('stty size; exit\n')
 * for await (const chunk of terminal) process.stdout.write(chunk)
 * console.log(await terminal.wait())
 * ```
 */
export interface Pty extends AsyncIterable<Uint8Array>, AsyncDisposable {
  /** Unique in its sandbox. */
  readonly id: string
  /** Of its first program, as the guest's programs see it. */
  readonly pid: number
  /** Columns: as it was made, or resized last. */
  readonly cols: number
  readonly rows: number
  /**
   * Types. Resolves when the guest's side has taken it or the terminal has ended; a program that does not read holds it back once the terminal
   * is full. Control characters act as on a keyboard: `\x03` is Ctrl-C.
   *
   * @throws `SANDBOX_GONE`, `GUEST_UNREACHABLE`
   */
  write(data: string | Uint8Array): Promise<void>
  /** The programs are told by SIGWINCH. Resolves when it is on its way. @throws `INVALID_ARGUMENT`, `SANDBOX_GONE` */
  resize(cols: number, rows: number): Promise<void>
  /**
   * How its first program ended. May be called more than once, and after the end.
   *
   * @throws `TIMEOUT` or the signal's reason when the wait ends first, `SANDBOX_GONE`, `GUEST_UNREACHABLE`
   */
  wait(options?: CallOptions): Promise<PtyExit>
  /**
   * Sends a signal to the process group of its first program. Default SIGHUP, which is what a terminal sends that is closed; SIGKILL ends also a shell
   * that takes no notice. What the shell runs in the foreground has a group of its own: `write('\x03')` interrupts that. Resolves with false when it
   * has ended already.
   *
   * @throws `INVALID_ARGUMENT`, `SANDBOX_GONE`, `GUEST_UNREACHABLE`
   */
  kill(signal?: SignalName): Promise<boolean>
}

/** The terminals of one sandbox: 32 at once, one more waits for one to end. */
export interface Ptys {
  /**
   * Starts a program at a terminal; resolves when it has started. `signal` and `timeoutMs` are about the start alone.
   *
   * @throws `INVALID_ARGUMENT`, `SPAWN_FAILED` (no such command, user or directory), `TIMEOUT`, `SANDBOX_GONE`, `GUEST_UNREACHABLE`, or the
   * signal's reason.
   */
  create(options?: PtyOptions): Promise<Pty>
  /** One that has not ended, to look at it again: the same object that `create` gave. */
  get(id: string): Pty | undefined
}
