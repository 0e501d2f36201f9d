/** What an answer of a registry means that is not what was asked for. */

import { z } from 'zod'
import { foreignText } from '../../../common/text.ts'
import { PullFailure } from '../failure.ts'
import { parseRetryAfter } from '../timing.ts'
import { type Answer, discard, readAnswer } from './transport.ts'

/** Of what a registry says about an error, in bytes. */
const bodyBytesMax = 16_384

const errorsSchema = z.object({ errors: z.array(z.object({ code: z.string(), message: z.string().nullish() })).min(1) })

/**
 * Reads the answer to its end.
 *
 * @param what was asked for: 'the manifest'
 * @param hasCredentials whether any were sent, for what to do about it
 */
export async function statusFailure(
  answer: Answer,
  what: string,
  hasCredentials: boolean,
  signal: AbortSignal,
): Promise<PullFailure> {
  const { status, host, isRedirected } = answer
  const said = isRedirected ? '' : await reasonOf(answer, signal)
  const message = `${host} answers ${status}${said} to the request for ${what}`
  discard(answer.body)
  if (status === 429) {
    const retryAfterMs = parseRetryAfter(answer.header('retry-after'), Date.now())
    const hint = hasCredentials ? 'Wait a while and try again.' : 'Wait a while, or log in: many registries allow more then.'
    return new PullFailure(message, { hint, retryable: true, retryAfterMs })
  }
  if (status === 408 || (status >= 500 && status !== 501)) {
    const retryAfterMs = parseRetryAfter(answer.header('retry-after'), Date.now())
    return new PullFailure(message, { hint: 'Try again later.', retryable: true, retryAfterMs })
  }
  // A signed URL has a time after which it is refused: the registry gives out another.
  if (isRedirected) return new PullFailure(message, { hint: 'Try again.', retryable: status === 401 || status === 403 })
  if (status === 401 || status === 403) {
    const hint = hasCredentials
      ? 'The credentials are refused, or do not suffice: log in again, or look at the name of the image.'
      : 'There is no such image, or it is not public: log in with `docker login`, or give `auth` for it in `registries`.'
    return new PullFailure(message, { hint })
  }
  return new PullFailure(message, { hint: status === 404 ? 'Look at its name and tag.' : 'Look whether it is a registry.' })
}

/** What the registry itself says of it, as far as it says anything in the form that is agreed on. */
async function reasonOf(answer: Answer, signal: AbortSignal): Promise<string> {
  try {
    const [first] = errorsSchema.parse(JSON.parse((await readAnswer(answer, bodyBytesMax, signal)).toString())).errors
    return first === undefined ? '' : ` (${foreignText([first.code, first.message].filter(Boolean).join(': '), 200)})`
  } catch {
    signal.throwIfAborted()
    return ''
  }
}
