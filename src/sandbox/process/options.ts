/** What callers may say when they run a command: types, meaning, and the checks on them. */

import { z } from 'zod'
import { callback, callShape, durationMs, environment, plainText, whole } from '../../common/validate.ts'
import { signalNumber } from './signals.ts'

/** A string runs in `/bin/sh -c`; an array runs without a shell. */
export type Command = string | readonly string[]

export interface SpawnOptions {
  /** Default: the sandbox's. A relative path starts at the sandbox's. */
  cwd?: string
  /** Over the sandbox's variables; `undefined` unsets one. */
  env?: Record<string, string | undefined>
  /** A name or `uid[:gid]` of the guest. Default: the sandbox's. */
  user?: string
  /**
   * Kills the whole process group after this many milliseconds: SIGTERM, then SIGKILL. No hidden default. A process that could not even be
   * started in that time rejects with `TIMEOUT`; a guest that does not answer to the kill, with `GUEST_UNREACHABLE`.
   */
  timeoutMs?: number
  /** Between SIGTERM and SIGKILL, in milliseconds. Default 2,000. */
  killGraceMs?: number
  /** The same kill; rejects with the signal's reason once the group is gone. */
  signal?: AbortSignal
  /** How much of each stream is kept for the result, in bytes; more is never fatal. Default 10 MiB. */
  maxBufferBytes?: number
  /** Which part is kept when there is more. Default 'tail'. */
  retain?: 'head' | 'tail' | 'none'
  /** 'closed' (default) gives the process an empty input; 'pipe' lets the caller write. */
  stdin?: 'pipe' | 'closed'
}

export interface ExecOptions extends Omit<SpawnOptions, 'stdin'> {
  /** Default: nothing, an empty input. */
  stdin?: string | Uint8Array | AsyncIterable<string | Uint8Array>
  /** Called as output comes, with whole UTF-8 characters. */
  onStdout?: (text: string) => void
  onStderr?: (text: string) => void
  /** A non-zero exit or a timeout rejects with `CommandExitError`, which carries the result. */
  check?: boolean
}

/** How long a process may take to end after SIGTERM, in milliseconds. */
export const killGraceMsDefault = 2_000

export const commandSchema: z.ZodType = z.union(
  [plainText.refine((text) => text.trim() !== '', 'an empty command'), z.array(plainText).min(1)],
  {
    error: 'expected a command: a non-empty string for the shell, or a non-empty array of strings without NUL',
  },
)

/** What of a program's output is kept. */
export const retentionShape: { maxBufferBytes: z.ZodType; retain: z.ZodType } = {
  maxBufferBytes: whole(0, 2 ** 29, 'bytes').optional(),
  retain: z.enum(['head', 'tail', 'none'], { error: "expected 'head', 'tail' or 'none'" }).optional(),
}

const spawnShape = {
  cwd: plainText.optional(),
  env: environment.optional(),
  user: plainText.optional(),
  ...callShape,
  killGraceMs: durationMs.optional(),
  ...retentionShape,
}

export const spawnSchema: z.ZodType = z.strictObject({
  ...spawnShape,
  stdin: z.enum(['pipe', 'closed'], { error: "expected 'pipe' or 'closed'" }).optional(),
})

const bytesOrChunks = z.custom<string | Uint8Array | AsyncIterable<string | Uint8Array>>(
  (value) =>
    typeof value === 'string' ||
    value instanceof Uint8Array ||
    (typeof value === 'object' && value !== null && Symbol.asyncIterator in value),
  'expected a string, a Uint8Array or an AsyncIterable of them',
)

export const execSchema: z.ZodType = z.strictObject({
  ...spawnShape,
  stdin: bytesOrChunks.optional(),
  onStdout: callback.optional(),
  onStderr: callback.optional(),
  check: z.boolean({ error: 'expected true or false' }).optional(),
})

export const signalSchema: z.ZodType = z
  .string()
  .refine((name) => signalNumber(name) !== undefined, "expected a signal that Linux knows, such as 'SIGTERM'")
