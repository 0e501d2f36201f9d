/** Checking what a caller passed, before anything is started. */

import { z } from 'zod'
import { WarmcellError } from '../errors.ts'

/** @throws `INVALID_ARGUMENT` naming the call, the option and what it should be, unless `value` is as the schema says. */
export function assertValid(schema: z.ZodType, value: unknown, call: string): void {
  const result = schema.safeParse(value)
  if (result.success) return
  const issue = result.error.issues[0]
  const where = issue === undefined || issue.path.length === 0 ? 'its argument' : `option '${issue.path.join('.')}'`
  throw new WarmcellError('INVALID_ARGUMENT', `${call}: ${where} is not valid: ${reasonOf(issue)}.`)
}

/** Of a key that is not allowed, the reason is one level down. */
function reasonOf(issue: z.core.$ZodIssue | undefined): string {
  const reason = issue?.code === 'invalid_key' ? issue.issues[0] : issue
  return reason?.message ?? 'unknown reason'
}

/** A duration in milliseconds: finite, not negative. */
export const durationMs: z.ZodType<number> = z
  .number({ error: 'expected a number of milliseconds' })
  .nonnegative('expected 0 or more milliseconds')

/** A whole number from `min` to `max`, with its unit for the message. */
export function whole(min: number, max: number, unit: string): z.ZodType<number> {
  const error = `expected a whole number of ${unit} from ${min} to ${max}`
  return z.number({ error }).int(error).min(min, error).max(max, error)
}

/** Text without NUL, which no Linux argument, path or variable can hold. */
export const plainText: z.ZodType<string> = z
  .string({ error: 'expected a string' })
  .refine((text) => !text.includes('\0'), 'a NUL character cannot be passed')

/** Environment variables; `undefined` unsets. */
export const environment: z.ZodType<Record<string, string | undefined>> = z.record(
  z.string().regex(/^[^=\0]+$/, "a variable's name is not empty and has neither '=' nor NUL"),
  plainText.optional(),
)

const portRange = 'expected a port from 1 to 65535'

export const port: z.ZodType<number> = z.number(portRange).int(portRange).min(1, portRange).max(65_535, portRange)

/** A listener, or another function of the caller's. */
export const callback: z.ZodType = z.custom((value) => typeof value === 'function', 'expected a function')

export const abortSignal: z.ZodType<AbortSignal> = z.instanceof(AbortSignal, { error: 'expected an AbortSignal' })

/** What ends a call early, as a part of what may be said about it. */
export const callShape: { signal: z.ZodType; timeoutMs: z.ZodType } = {
  signal: abortSignal.optional(),
  timeoutMs: durationMs.optional(),
}

/** What ends a call early, and nothing else. */
export const callOptions: z.ZodType = z.strictObject(callShape)
