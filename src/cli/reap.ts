/** `warmcell reap`: what dead processes have left, removed; for a person or as JSON. */

import { type Reaped, reap } from '../index.ts'
import { printable, say, withProgress } from './report.ts'
import { tableLines } from './table.ts'

/** Exits with 1 when something could not be removed. */
export async function reapCommand(options: { json?: boolean }): Promise<void> {
  const report = await withProgress('looking for what is left', reap(), options.json === true)
  const { removed, left, failures } = report
  if (left.length + failures.length > 0) process.exitCode = 1
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
    return
  }
  if (removed.length === 0) say('Nothing to remove.')
  else for (const line of tableLines(['REMOVED', 'NAME', 'OWNER'], removed.map(row))) process.stdout.write(`${line}\n`)
  for (const { name, reason } of left) say(`${printable(name)} is still there: ${printable(reason)}.`)
  for (const failure of failures) say(printable(failure))
}

function row({ kind, name, ownerPid }: Reaped): string[] {
  return [kind, printable(name), ownerPid === undefined ? '-' : String(ownerPid)]
}
