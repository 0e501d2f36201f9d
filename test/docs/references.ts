/** What a document points at: other documents, tests by their names, constants of the source. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository: string = fileURLToPath(new URL('../..', import.meta.url))

export const textOf = (path: string): string => readFileSync(join(repository, path), 'utf8')

/** Documents whose references are held. */
export const documents: readonly string[] = [
  'SECURITY.md',
  'SPECIFICATION.md',
  ...readdirSync(join(repository, 'docs/security')).map((name) => `docs/security/${name}`),
]

export interface TestReference {
  readonly path: string
  /** Of the tests in that file; none where the whole file is meant. */
  readonly names: readonly string[]
}

/** `test/x.test.ts`: "a name", "another" */
export function testsIn(text: string): TestReference[] {
  return [...text.matchAll(/`((?:test|guest-image\/agent\/tests)\/[^`\s]*)`((?::? ?(?:, )?"[^"\n]+")*)/g)].map(
    ([, path = '', behind = '']) => ({ path, names: [...behind.matchAll(/"([^"]+)"/g)].map(([, name = '']) => name) }),
  )
}

/** Why a reference leads nowhere; undefined where it does not. */
export function missing({ path, names }: TestReference): string | undefined {
  if (!existsSync(join(repository, path))) return `there is no ${path}`
  if (names.length === 0) return undefined
  if (statSync(join(repository, path)).isDirectory()) return `${path} is a directory, and has no tests of its own`
  const titles = titlesIn(path)
  const unknown = names.filter((name) => !titles.some((title) => isNamed(title, name)))
  return unknown.length === 0 ? undefined : `${path} has no ${unknown.map((name) => `"${name}"`).join(', ')}`
}

/** What the tests of a file and their groups are called; what a title is filled in with is a "…". */
export function titlesIn(path: string): string[] {
  const source = textOf(path)
  if (path.endsWith('.rs')) return [...source.matchAll(/#\[test\]\s*(?:#\[[^\]]*\]\s*)*fn (\w+)/g)].map(([, name = '']) => name)
  // Behind `it(`, and behind the table of `it.each(…)(`.
  const calls = source.matchAll(
    /(?:\b(?:test|it|describe)|\))\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`)\s*,/g,
  )
  return [...calls].map(([, ...quoted]) =>
    (quoted.find((one) => one !== undefined) ?? '').replace(/\\(.)/g, '$1').replace(/\$\{[^}]*\}|%[sidjfo]|\$[a-z]\w*/g, '…'),
  )
}

/** The least that a name must say beside what is left out. */
const saidCharsMin = 8

export function isNamed(title: string, name: string): boolean {
  if (name.replaceAll('…', '').trim().length < saidCharsMin) return false
  const pattern = name.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${pattern.join('.*')}$`).test(title)
}

/** Relative links that lead nowhere: no such file, or no such heading in it. */
export function brokenLinks(document: string): string[] {
  const links = [...withoutCode(textOf(document)).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = '']) => link)
  return links.filter((link) => {
    const [path = '', heading] = link.split('#')
    const target = path === '' ? document : relative(repository, join(repository, dirname(document), path))
    if (!existsSync(join(repository, target))) return true
    return heading !== undefined && !headingsIn(target).includes(heading)
  })
}

/** As GitHub makes anchors of them. */
function headingsIn(document: string): string[] {
  return [...withoutCode(textOf(document)).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  )
}

const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, '')
