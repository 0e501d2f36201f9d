/** What callers may say about files: the checks on it. */

import { z } from 'zod'
import { abortSignal, callback, callShape, plainText, whole } from '../../common/validate.ts'

/** The longest path that Linux takes, in bytes: PATH_MAX of 4,096, less the NUL at its end. */
const pathBytesMax = 4_095

/** Deeper than any path is long. */
const depthMax = 4_096

/** How much a download takes when the caller says nothing, in bytes: a guest can make a file of any size out of nothing. */
export const downloadBytesMaxDefault: number = 4 * 1_024 ** 3

export const pathSchema: z.ZodType = plainText
  .refine((path) => path !== '', 'expected a path, not an empty one')
  .refine((path) => Buffer.byteLength(path) <= pathBytesMax, `expected a path of at most ${pathBytesMax} bytes`)

const flag = z.boolean({ error: 'expected true or false' }).optional()

export const readSchema: z.ZodType = z.strictObject({
  ...callShape,
  format: z.enum(['text', 'bytes', 'stream'], { error: "expected 'text', 'bytes' or 'stream'" }).optional(),
})

export const writeSchema: z.ZodType = z.strictObject({
  ...callShape,
  mode: whole(0, 0o7777, 'permission bits').optional(),
  user: plainText.optional(),
  append: flag,
})

export const dataSchema: z.ZodType = z.custom(
  (value) =>
    typeof value === 'string' ||
    value instanceof Uint8Array ||
    (typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || value instanceof ReadableStream)),
  'expected a string, a Uint8Array, a ReadableStream or an AsyncIterable of them',
)

export const listSchema: z.ZodType = z.strictObject({ ...callShape, depth: whole(1, depthMax, 'levels').optional() })

export const removeSchema: z.ZodType = z.strictObject({ ...callShape, recursive: flag, force: flag })

export const watchSchema: z.ZodType = z.strictObject({ recursive: flag, signal: abortSignal.optional() })

export const downloadSchema: z.ZodType = z.strictObject({
  ...callShape,
  maxBytes: whole(0, Number.MAX_SAFE_INTEGER, 'bytes').optional(),
  onSkipped: callback.optional(),
})
