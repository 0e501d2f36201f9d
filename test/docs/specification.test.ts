/** A number of SPECIFICATION.md is the number of the source, and is enforced by a test. */

import { describe, expect, it, test } from 'vitest'
import { testsIn, textOf } from './references.ts'

/** The rows of all tables, as cells. */
function rowsOf(text: string): string[][] {
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && !/^\| -+ \|/.test(line))
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** Every number of a cell, as it stands and by its unit: bytes and milliseconds. */
function numbersIn(cell: string): number[] {
  const units: Readonly<Record<string, number>> = { KiB: 1_024, MiB: 1_024 ** 2, GiB: 1_024 ** 3, s: 1_000, min: 60_000 }
  return [...cell.matchAll(/(\d[\d,]*(?:\.\d+)?)(?: (KiB|MiB|GiB|s|min)\b)?/g)].flatMap(([, digits = '', unit]) => {
    const plain = Number(digits.replaceAll(',', ''))
    return unit === undefined ? [plain] : [plain, plain * (units[unit] as number)]
  })
}

interface Constant {
  /** Its name, and that of what in it is meant: `kinds.processes.max`. */
  readonly name: string
  readonly path: string
}

/** `a` and `b.c` in `src/d.ts`, `e` in `src/f.ts` */
function constantsIn(cell: string): Constant[] {
  return cell.split(/(?<=\.ts`)/).flatMap((part) => {
    const path = /in `(src\/[^`]+)`$/.exec(part)?.[1]
    if (path === undefined) return []
    return [...part.matchAll(/`([A-Za-z]\w*(?:\.\w+)*)`/g)].map(([, name = '']) => ({ name, path }))
  })
}

/** Read off the source, as most of them are nobody's to import. @throws where there is none. */
function valuesOf({ name, path }: Constant): number[] {
  const source = textOf(path)
  const [first = '', ...rest] = name.split('.')
  const declared = new RegExp(`\\b(?:const|function) ${first}\\b`).exec(source)
  if (declared === null) throw new Error(`${path} has no ${first}`)
  let at = declared.index + declared[0].length
  for (const part of rest) {
    const found = new RegExp(`\\b${part}(?:: number)?\\s*[:=]`).exec(source.slice(at))
    if (found === null) throw new Error(`${path} has no ${part} in ${name}`)
    at += found.index + found[0].length
  }
  const behind = source.slice(at).replace(/^[^\n=]*= (?=\d)/, ' ')
  const range = /^\s*whole\(([^)]*)\)/.exec(behind)?.[1]
  const [single] = /^\s*\d[\d_]*(?: \*\*? [\d_]+)*/.exec(behind) ?? []
  const values = range === undefined ? [single ?? ''] : range.split(',').slice(0, 2)
  if (values.some((value) => value === '')) throw new Error(`${name} of ${path} is no number`)
  return values.map(product)
}

/** "4 * 1_024 ** 3" */
function product(expression: string): number {
  return expression
    .replaceAll('_', '')
    .split(/ \* /)
    .map((term) => term.split(' ** ').map(Number))
    .reduce((all, [base = Number.NaN, power = 1]) => all * base ** power, 1)
}

const rows = rowsOf(textOf('SPECIFICATION.md'))
const promises = rows.filter(([, , , last]) => last !== undefined && last !== 'constant' && last !== 'waiting creates')
const constants = rows.flatMap((row) =>
  constantsIn(row.at(-1) ?? '').map((constant) => [constant.name, constant, row[1] ?? ''] as const),
)

describe('a number is that of the source', () => {
  it.each(constants)('%s', (_, constant, cell) => {
    const said = numbersIn(cell)
    for (const value of valuesOf(constant)) expect(said).toContain(value)
  })
})

test('constants are named at all', () => {
  expect(constants.length).toBeGreaterThan(30)
})

test('each promise is enforced by a test that has a name', () => {
  const bodies = rows.filter((row) => !['event', 'what'].includes(row[0] as string))
  expect(bodies.length).toBeGreaterThan(50)
  expect(promises.length).toBeGreaterThan(30)
  const without = bodies.filter((row) => testsIn(row.join(' ')).every(({ names }) => names.length === 0))
  expect(without.map(([what]) => what)).toEqual([])
})

test('a number is read with its unit, and a constant however it is written', () => {
  expect(numbersIn('2,000 ms of grace, 256 KiB')).toEqual([2_000, 256, 262_144])
  expect(constantsIn('`a.b` and `c` in `src/d.ts`, `e` in `src/f.ts`')).toEqual([
    { name: 'a.b', path: 'src/d.ts' },
    { name: 'c', path: 'src/d.ts' },
    { name: 'e', path: 'src/f.ts' },
  ])
  expect(product('4 * 1_024 ** 3')).toBe(4_294_967_296)
  expect(() => valuesOf({ name: 'nothing', path: 'src/mux/window.ts' })).toThrow('has no nothing')
})
