/** What running a command comes to. */

import { WarmcellError } from '../../errors.ts'
import type { SignalName } from './signals.ts'

/** A command that has ended, however it ended. */
export interface ExecResult {
  /** 128 + n when ended by signal n. */
  exitCode: number
  /** The signal that ended it, if one did. */
  signal: SignalName | null
  /** Exit code 0, in time. */
  ok: boolean
  stdout: string
  stderr: string
  /** Both, as they arrived. */
  output: string
  /** It was ended because its `timeoutMs` had passed. What it had printed is here. */
  timedOut: boolean
  /** The guest's kernel ended it because the sandbox had no memory left. */
  oomKilled: boolean
  /** Something was printed that `stdout` or `stderr` does not hold. */
  truncated: boolean
  /** How many bytes of stdout and stderr together are not held. */
  droppedBytes: number
  /** From the call to the end of the process, in milliseconds. */
  durationMs: number
}

/** A command with `check: true` failed or ran out of time. */
export class CommandExitError extends WarmcellError {
  readonly result: ExecResult

  constructor(command: string, result: ExecResult, sandboxId: string) {
    const how = result.timedOut
      ? 'ran out of time'
      : result.signal === null
        ? `exited with code ${result.exitCode}`
        : `was ended by ${result.signal}`
    super('COMMAND_EXIT', `${command} ${how}.${lastLine(result.stderr)}`, { sandboxId, retryable: false })
    this.result = result
  }
}

/** The last line of stderr is what a person would look at first. */
function lastLine(stderr: string): string {
  const line = stderr.trimEnd().split('\n').at(-1)
  return line === undefined || line === '' ? '' : ` Its last words: ${line.slice(0, 200)}`
}
