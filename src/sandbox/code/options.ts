/** The checks on what callers of `runCode` say. */

import { z } from 'zod'
import { callback, callShape, environment, plainText } from '../../common/validate.ts'
import { retentionShape } from '../process/options.ts'

export const contextDefault = 'default'

export const sourceSchema: z.ZodType = z.string({ error: 'expected the source as a string' })

export const runCodeSchema: z.ZodType = z.strictObject({
  ...callShape,
  language: plainText.optional(),
  context: z
    .string({ error: 'expected a name' })
    .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'a context has 1 to 64 of A-Z a-z 0-9 _ . - in its name')
    .optional(),
  env: environment.optional(),
  onStdout: callback.optional(),
  onStderr: callback.optional(),
  ...retentionShape,
})
