/** Why an image cannot be had, before it is known which image: what fails may be shared by several. */

import { WarmcellError } from '../../errors.ts'
import { isShortage } from '../../host/index.ts'

export interface PullFailureDetails {
  /** What to do about it, as one sentence. */
  readonly hint: string
  /** Whether trying again may help: the network, a registry that is overloaded. */
  readonly retryable?: boolean
  /** How long the other side asks to be left alone, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

/** The message is a clause that goes on from 'The image cannot be pulled: ', without a full stop. It never holds a secret or a whole URL. */
export class PullFailure extends Error {
  readonly hint: string
  readonly retryable: boolean
  readonly retryAfterMs: number | undefined

  constructor(message: string, { hint, retryable = false, retryAfterMs, cause }: PullFailureDetails) {
    super(message, cause === undefined ? undefined : { cause })
    this.hint = hint
    this.retryable = retryable
    this.retryAfterMs = retryAfterMs
  }

  /** The same, where there is somebody else to ask. */
  again(): PullFailure {
    return new PullFailure(this.message, { hint: this.hint, retryable: true, cause: this.cause })
  }
}

/** Of an image whose parts do not go together, or are more than is taken. */
export function badImage(message: string, cause?: unknown): PullFailure {
  return new PullFailure(message, { hint: 'Have the image built or pushed again, or use another.', cause })
}

const roomCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** In the words of the one who asked for the image. What is nobody's on purpose, such as a signal's reason, comes back as it is. */
export function imageFailure(reference: string, cause: unknown): unknown {
  const prefix = `The image ${reference} cannot be pulled:`
  if (cause instanceof PullFailure) {
    const { message, hint, retryable } = cause
    return new WarmcellError('IMAGE', `${prefix} ${message}.`, { hint, retryable, cause: cause.cause })
  }
  const { code, message } = cause as NodeJS.ErrnoException
  if (WarmcellError.is(cause) || !(cause instanceof Error) || typeof code !== 'string') return cause
  const hint = roomCodes.has(code)
    ? 'Make room for the cache of images, or name a cache directory on another disk.'
    : 'Look at the directory of the cache of images, and whose it is.'
  return new WarmcellError('IMAGE', `${prefix} ${message}.`, { hint, retryable: isShortage(cause), cause })
}
