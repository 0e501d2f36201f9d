import { expect, test } from 'vitest'
import { toJson } from '../../bench/report/json.mjs'
import { times, toMarkdown } from '../../bench/report/markdown.mjs'
import { toSvg } from '../../bench/report/svg.mjs'
import { cannedResult } from './canned-result.ts'

test('the table says each target, how far it is, and whether it was reached', () => {
  const lines: string[] = toMarkdown(cannedResult).split('\n')
  expect(lines).toContain('| T1 | from warm: create + exec | 5.00 / 6.00 / 6.00 ms | spawn 4.00 ms | 1.25× | ≤ 1.5× | yes |')
  expect(lines).toContain('| T1 | from warm: create + exec | 5.00 / 6.00 / 6.00 ms | crun 45.0 ms | 1/9.00 | ≤ 1/9 | yes |')
  expect(lines).toContain(
    '| T1 | from warm: create + exec (minimal kernel) | 3.00 / 4.00 / 4.00 ms | crun 45.0 ms | 1/15.0 | ≤ 1/9 | yes |',
  )
  expect(lines).toContain('| T1 | from warm: create + exec | 5.00 / 6.00 / 6.00 ms | podman not measured | – | ≤ 1/100 | – |')
  expect(lines).toContain('| T5 | made per second: made | 44.0 / 38.0 / 38.0 /s | – | – | ≥ 40 /s | yes |')
})

test('what could not be measured and what failed is said', () => {
  const text = toMarkdown(cannedResult)
  expect(text).toContain('not measured: no image')
  expect(text).toContain('podman took no part: it ended with 126')
  expect(text).toContain('- T1, podman: it | ended with 126')
  expect(text).toContain('load average over 1 / 5 minutes 0.5 / 0.4 before, 2.0 / 1.0 after')
})

test('small ratios are read upside down', () => {
  expect([0.05, 0.5, 12.345].map(times)).toEqual(['1/20.0', '0.500×', '12.3×'])
})

test('the JSON holds all of it', () => {
  const read = JSON.parse(toJson(cannedResult))
  expect(read.rows[0].series).toHaveLength(5)
  expect(read.rows[0].verdicts[0]).toMatchObject({ over: 'spawn', value: 1.25, reached: true })
})

test('the chart is one accessible image with a bar for everybody who was measured, in both colour schemes', () => {
  const svg: string = toSvg(cannedResult)
  expect(svg.match(/<rect class="bar/g)).toHaveLength(4)
  expect(svg).toContain('role="img" aria-labelledby="title desc"')
  expect(svg).toContain('Medians: warmcell (microVM of its own) 5.00 ms; warmcell (minimal)')
  expect(svg).toContain('prefers-color-scheme: dark')
  expect(svg).not.toContain('podman')
  expect(svg).not.toMatch(/NaN|undefined|Infinity/)
})

test('longer medians have longer bars', () => {
  const widths = [...(toSvg(cannedResult) as string).matchAll(/<rect class="bar[^>]* width="([\d.]+)"/g)].map(([, width]) =>
    Number(width),
  )
  const [ours = 0, minimal = 0, spawn = 0, crun = 0] = widths
  expect(minimal).toBeLessThan(spawn)
  expect(spawn).toBeLessThan(ours)
  expect(ours).toBeLessThan(crun)
})

test('without T1 there is no chart', () => {
  expect(toSvg({ ...cannedResult, rows: [] })).toBeUndefined()
})
