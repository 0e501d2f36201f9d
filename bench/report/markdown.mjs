// The result as a table to read: first what was promised, then everything that was measured.
import { significant } from '../statistics.mjs'

export function toMarkdown(result) {
  return `${[heading(result), promises(result), everything(result), absent(result), failures(result)].filter(Boolean).join('\n\n')}\n`
}

function heading({ machine, method, load, date, commit, minutes }) {
  const guests = machine.guests.map(({ subject, image }) => `${subject}: ${image}`).join('; ')
  const loads = (list) => list.map((one) => one.toFixed(1)).join(' / ')
  return `Measured ${date.slice(0, 10)} at ${commit?.slice(0, 12) ?? 'an unknown commit'} on ${machine.cores} × ${machine.cpu}, ${Math.round(machine.memoryMib / 1_024)} GiB, ${machine.distribution}, \
Linux ${machine.kernel}, Node ${machine.node}, QEMU ${machine.qemu}, isolation **${machine.isolation}**; ${guests}. One interleaved run of ${minutes.toFixed(0)} minutes, \
${method.rounds} rounds${method.quick ? ' (quick: too few for a p99)' : ''}; load average over 1 / 5 minutes ${loads(load.before)} before, ${loads(load.after)} after; cgroups: ${method.cgroups}.`
}

function promises({ rows }) {
  const lines = rows.flatMap((row) => {
    if (row.status !== 'measured') return [[row.id, row.title, '–', '–', '–', '–', `not measured: ${oneLine(row.reason)}`]]
    return row.verdicts.map((verdict) => promiseLine(row, verdict))
  })
  return table(['#', 'metric', 'warmcell p50 / p95 / p99', 'against', 'ratio', 'target', 'reached'], lines)
}

function promiseLine(row, { subject, measure, ours, theirs, unit, value, over, tail, atMost, atLeast, reached }) {
  const kernel = subject === 'warmcell' ? '' : ` (${subject.replace('warmcell, ', '')})`
  const bound =
    atMost !== undefined
      ? `≤ ${amount(atMost, over || tail, unit)}`
      : atLeast !== undefined
        ? `≥ ${amount(atLeast, over || tail, unit)}`
        : '–'
  return [
    row.id,
    `${row.title}: ${measure}${kernel}`,
    spread(ours, unit),
    over ? `${over} ${theirs?.count ? `${significant(theirs.p50)} ${unit}` : 'not measured'}` : tail ? 'its own p50' : '–',
    over || tail ? (value === null ? '–' : times(value)) : '–',
    bound,
    reached === null ? '–' : reached ? 'yes' : '**no**',
  ]
}

/** Bounds are round numbers, and are shown as such. */
const amount = (bound, isRatio, unit) =>
  (isRatio ? times(bound) : `${bound} ${unit}`).replace(/(\.\d*?)0+(?=\D|$)/, '$1').replace(/\.(?=\D|$)/, '')

/** Small ratios are easier to read upside down: 1/12. */
export function times(value) {
  return value < 0.125 ? `1/${significant(1 / value)}` : `${significant(value)}×`
}

function everything({ rows }) {
  const lines = rows.flatMap((row) =>
    row.series.map(({ subject, measure, unit, quantiles, failures: count }) => [
      row.id,
      subject,
      measure,
      `${spread(quantiles, unit)}`,
      String(quantiles.count),
      String(count),
    ]),
  )
  return `${table(['#', 'who', 'what', 'p50 / p95 / p99', 'samples', 'failures'], lines)}\n\n${rows.map(({ id, how }) => `- ${id}: ${how}.`).join('\n')}`
}

function absent({ contenders, notMeasured }) {
  const lines = [
    ...contenders.filter(({ reason }) => reason).map(({ name, reason }) => `${name} took no part: ${oneLine(reason)}`),
    ...notMeasured,
  ]
  const present = contenders
    .filter(({ reason }) => !reason)
    .map(({ name, what, version }) => `${name} is \`${what}\` (${version})`)
  return [...present, ...lines].map((line) => `- ${line}`).join('\n')
}

function failures({ rows, leftBehind }) {
  const lines = rows.flatMap(({ id, series }) =>
    series
      .filter(({ failures: count }) => count > 0)
      .map(({ subject, failureReasons }) => `${id}, ${subject}: ${oneLine(failureReasons[0])}`),
  )
  const all = [...new Set(lines), ...leftBehind.map((complaint) => `left behind: ${oneLine(complaint)}`)]
  return all.length > 0 ? `Failures:\n\n${all.map((line) => `- ${line}`).join('\n')}` : 'Failures: none.'
}

function spread(quantiles, unit) {
  if (!quantiles?.count) return '–'
  return `${[quantiles.p50, quantiles.p95, quantiles.p99].map(significant).join(' / ')} ${unit}`
}

function table(head, lines) {
  const row = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [row(head), row(head.map(() => '---')), ...lines.map(row)].join('\n')
}

const oneLine = (text) => text.replace(/\s+/g, ' ').trim()
