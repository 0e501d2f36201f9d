/** What may be said of a pull. */

import { z } from 'zod'
import { abortSignal, assertValid, callback, plainText } from '../../common/validate.ts'
import type { ImageEvent, PullPolicy, Registries } from './contract.ts'
import { registriesSchema } from './registry/options.ts'

export interface PullOptions {
  /** Below it, in `oci`, is the cache of images; it is made if it is not there. */
  cacheDirectory: string
  registries?: Registries
  /** In Node's words or Go's. Default this machine's. */
  architecture?: string
  /** 'missing': a tag that was pulled before stands for what it stood for then. 'always': the registry is asked. Default 'missing'. */
  policy?: PullPolicy
  onEvent?: (event: ImageEvent) => void
  signal?: AbortSignal
}

const optionsSchema = z.strictObject({
  reference: z.string({ error: 'expected the name of an image' }),
  cacheDirectory: plainText.refine((text) => text !== '', 'expected a directory'),
  registries: registriesSchema.optional(),
  architecture: z
    .string()
    .regex(/^[a-z0-9_]{1,32}$/, "expected an architecture, as 'x64' or 'arm64'")
    .optional(),
  policy: z.enum(['missing', 'always'], { error: "expected 'missing' or 'always'" }).optional(),
  onEvent: callback.optional(),
  signal: abortSignal.optional(),
})

/** @throws `INVALID_ARGUMENT` */
export function assertPullOptions(reference: string, options: PullOptions): void {
  assertValid(optionsSchema, { ...options, reference }, 'pullImage')
}
