// The result as a picture for the README: how long until a program has run apart from the others, as bars on a logarithmic scale.
import { significant } from '../statistics.mjs'
import { times } from './markdown.mjs'

const width = 760
const left = 170
const right = 150
const top = 64
const barHeight = 24
const rowHeight = 38
const axisHeight = 44

/** The order of the chart, and what each isolates with. */
const isolatedBy = {
  spawn: 'a process',
  bwrap: 'namespaces',
  crun: 'container',
  runc: 'container',
  podman: 'container',
}

/** @returns undefined when T1 was not measured */
export function toSvg({ rows, machine }) {
  const bars = barsOf(rows.find(({ id }) => id === 'T1')?.series ?? [])
  if (!bars.some(({ ours }) => ours)) return undefined
  return draw(bars, machine)
}

/** Who is in the chart: every warmcell first, then the contenders that were measured. */
function barsOf(series) {
  const ours = series.filter(({ subject, measure }) => subject.startsWith('warmcell') && measure === 'create + exec')
  const theirs = Object.keys(isolatedBy).flatMap((name) => series.filter(({ subject }) => subject === name))
  return [...ours, ...theirs]
    .filter(({ quantiles }) => quantiles.count > 0)
    .map(({ subject, quantiles }) => ({
      name: subject.replace(/, (\w+) kernel/, ' ($1)'),
      kind: isolatedBy[subject] ?? 'microVM of its own',
      ours: subject.startsWith('warmcell'),
      p50: quantiles.p50,
      p95: quantiles.p95,
    }))
}

/** Whole decades that hold every value: a bar's end is the logarithm of its median. */
function scaleOf(values) {
  const from = Math.floor(Math.log10(Math.min(...values) * 0.999))
  const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(...values))))
  const x = (value) => left + ((Math.log10(value) - from) / (to - from)) * (width - left - right)
  return { x, ticks: Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i)) }
}

function draw(bars, machine) {
  const { x, ticks } = scaleOf(bars.flatMap(({ p50, p95 }) => [p50, p95]))
  const bottom = top + bars.length * rowHeight
  const height = bottom + axisHeight
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">
<title id="title">Time to create, run true, and have its answer</title>
<desc id="desc">${escaped(describe(bars))}</desc>
<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .heading { font-size: 15px; font-weight: 600 }
  .small { font-size: 11px; fill: #59636e }
  .name { text-anchor: end }
  .tick { text-anchor: middle }
  .grid { stroke: #d1d9e0 }
  .bar { fill: #8c959f }
  .ours { fill: #0969da }
  .whisker { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .bar { fill: #656c76 }
    .ours { fill: #4493f8 }
    .whisker { stroke: #f0f6fc }
  }
</style>
<text class="heading" x="16" y="26">Create, run <tspan font-family="ui-monospace, monospace">true</tspan>, have its answer</text>
<text class="small" x="16" y="45">median, line to p95; milliseconds, logarithmic; less is better; ${escaped(`${machine.cores} cores, ${machine.isolation === 'emulated' ? 'without hardware acceleration' : 'under KVM'}`)}</text>
${ticks.map((tick) => axis(x(tick), tick, bottom)).join('\n')}
${bars.map((bar, i) => row(bar, top + i * rowHeight, x, bars[0])).join('\n')}
</svg>
`
}

function axis(x, value, bottom) {
  return `<line class="grid" x1="${px(x)}" y1="${top - 6}" x2="${px(x)}" y2="${bottom}"/><text class="small tick" x="${px(x)}" y="${bottom + 18}">${significantTick(value)} ms</text>`
}

function row(bar, y, x, first) {
  const middle = y + barHeight / 2
  const beside = bar.ours ? '' : ` · ${times(bar.p50 / first.p50)}`
  return `<text class="name" x="${left - 10}" y="${px(middle - 1)}">${escaped(bar.name)}</text><text class="name small" x="${left - 10}" y="${px(middle + 12)}">${escaped(bar.kind)}</text>\
<rect class="bar${bar.ours ? ' ours' : ''}" x="${left}" y="${y}" width="${px(Math.max(1, x(bar.p50) - left))}" height="${barHeight}" rx="2"/>\
<line class="whisker" x1="${px(x(bar.p50))}" y1="${px(middle)}" x2="${px(x(bar.p95))}" y2="${px(middle)}"/>\
<text x="${px(x(bar.p95) + 8)}" y="${px(middle + 5)}">${significant(bar.p50)} ms${beside}</text>`
}

function describe(bars) {
  return `Medians: ${bars.map(({ name, kind, p50 }) => `${name} (${kind}) ${significant(p50)} ms`).join('; ')}.`
}

const px = (value) => Number(value.toFixed(1))
const significantTick = (value) => (value >= 1 ? String(value) : value.toPrecision(1))
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
