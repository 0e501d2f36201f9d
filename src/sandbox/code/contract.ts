/** What the caller of `runCode` says and gets. */

import type { CallOptions } from '../../common/deadline.ts'

/** `timeoutMs` interrupts the code, and resolves with what there is; `signal` interrupts it, and rejects with its reason. In both cases the context goes on. */
export interface RunCodeOptions extends CallOptions {
  /** One that the template has an interpreter for. Default: its first. */
  language?: string
  /**
   * Whose variables it sees and leaves behind: 1 to 64 of A-Z a-z 0-9 _ . -, of each language at most 32. One that is not there yet is made. Runs of one
   * context are one after the other, of different ones at the same time. Default 'default'.
   */
  context?: string
  /** Over the sandbox's variables, for this run alone; `undefined` unsets one. */
  env?: Record<string, string | undefined>
  /** Called as output comes, with whole UTF-8 characters. */
  onStdout?: (text: string) => void
  onStderr?: (text: string) => void
  /** How much of each of stdout and stderr is kept for the result, in bytes; more is never fatal. Default 10 MiB. */
  maxBufferBytes?: number
  /** Which part is kept when there is more. Default 'tail'. */
  retain?: 'head' | 'tail' | 'none'
}

/** One form of one value that was shown. */
export interface CodeValue {
  mime: string
  /** Text; in base64 where the type is not one of text (image/png, image/jpeg). */
  data: string
}

/** What the code failed with. */
export interface CodeError {
  /** As the language names it: `ZeroDivisionError`, `TypeError`. `TimeoutError` when `timeoutMs` had passed, `ContextLost` when the interpreter itself ended. */
  name: string
  message: string
  /** As the language prints it. */
  traceback: string
}

/** A piece of code that has been run, however it ended. */
export interface CodeResult {
  /** The value of the last expression as text, where the code ends with one. */
  text?: string
  /** What was shown, in its order, the value of the last expression among it. The forms of one value stand together, text/plain first. */
  results: CodeValue[]
  stdout: string
  stderr: string
  /** Missing when all went well. */
  error?: CodeError
  /** It was interrupted because its `timeoutMs` had passed. */
  timedOut: boolean
  /** Something was printed or shown that is not in here. */
  truncated: boolean
  /** How many bytes of stdout and stderr together are not held. */
  droppedBytes: number
  /** From the call to the end of the run, in milliseconds. */
  durationMs: number
}
