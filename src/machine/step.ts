/** A named step of making a machine, with its deadline. */

import { withDeadline } from '../common/deadline.ts'
import { WarmcellError } from '../errors.ts'

/** A step's deadline passed; the machine that was being made adds what it knows. */
export class StepTimeout extends Error {}

/** Runs one step. Ends with the caller's reason on abort, and with `StepTimeout` naming the step when its time is up. */
export async function step<T>(
  name: string,
  deadlineMs: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  try {
    return await withDeadline(name, { timeoutMs: deadlineMs, ...(signal && { signal }) }, work)
  } catch (cause) {
    if (WarmcellError.is(cause) && cause.code === 'TIMEOUT')
      throw new StepTimeout(`'${name}' did not end within ${deadlineMs} ms`, { cause })
    throw cause
  }
}
