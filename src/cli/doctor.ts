/** `warmcell doctor`: the report, for a person or as JSON. */

import { type DoctorCheck, doctor } from '../index.ts'
import { colour, withProgress } from './report.ts'

const marks: Readonly<Record<DoctorCheck['status'], { text: string; colour: 'green' | 'yellow' | 'red' }>> = {
  pass: { text: 'ok  ', colour: 'green' },
  warn: { text: 'warn', colour: 'yellow' },
  fail: { text: 'FAIL', colour: 'red' },
}

/** Exits with 1 when sandboxes cannot be created as asked for. */
export async function doctorCommand(options: { json?: boolean }): Promise<void> {
  const report = await withProgress('examining this host', doctor(), options.json === true)
  if (!report.ok) process.exitCode = 1
  const out = (text: string): void => void process.stdout.write(`${text}\n`)
  if (options.json === true) {
    out(JSON.stringify(report, null, 2))
    return
  }
  const width = Math.max(...report.checks.map(({ name }) => name.length))
  for (const { name, status, detail, fix } of report.checks) {
    const mark = marks[status]
    out(`${colour(mark.colour, mark.text, process.stdout)}  ${name.padEnd(width)}  ${detail}`)
    if (fix !== undefined) out(`      ${' '.repeat(width)}  ${colour('dim', `→ ${fix}`, process.stdout)}`)
  }
  out(`\nBest isolation on this host: ${colour('bold', report.isolation, process.stdout)}`)
}
