/** What callers may say of a terminal: its defaults, and the checks. */

import { z } from 'zod'
import { callShape, environment, plainText, whole } from '../../common/validate.ts'

/** The size of the terminals that programs fell back to for forty years. */
export const sizeDefault = { cols: 80, rows: 24 } as const

/**
 * Only the guest knows its users' shells: the agent puts the one of /etc/passwd into SHELL. `-l` makes every one of them read the user's
 * profile, as at a login. The sh in between is replaced by it: the terminal's first program is the shell itself.
 */
export const loginShell: readonly string[] = ['/bin/sh', '-c', '[ -x "$SHELL" ] && exec "$SHELL" -l; exec /bin/sh -l']

/** What struct winsize of the kernel can hold. */
const columns = whole(1, 65_535, 'columns')
const rows = whole(1, 65_535, 'rows')

export const sizeSchema: z.ZodType = z.object({ cols: columns, rows })

export const ptySchema: z.ZodType = z.strictObject({
  command: z.array(plainText, { error: 'expected an array of strings' }).min(1, 'expected a program').optional(),
  cols: columns.optional(),
  rows: rows.optional(),
  cwd: plainText.optional(),
  env: environment.optional(),
  user: plainText.optional(),
  ...callShape,
})

export const inputSchema: z.ZodType = z.union([z.string(), z.instanceof(Uint8Array)], {
  error: 'expected a string or a Uint8Array',
})
