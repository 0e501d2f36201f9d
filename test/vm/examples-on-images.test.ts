/** The examples that run on container images work as their READMEs say, on images of Debian's packages. Needs the build in dist/, and apt's mirror for images that are not there yet. */

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { Scratch } from '../support/scratch.ts'

const env = { ...process.env, WARMCELL_ISOLATION: 'emulated' }
const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))

const run = async (name: string, ...args: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, [example(name), ...args], { env })).stdout

/** An image may have to be made first, and emulated pandas takes its time to be imported, once. */
const patienceMs = 600_000

it(
  'code-interpreter',
  async () => {
    using scratch = new Scratch()
    const figure = scratch.join('figure.png')
    const stdout = await run('code-interpreter/main.mjs', '--output', figure)
    expect(stdout).toMatch(/^warm, after \d+ ms\n/)
    expect(stdout).toContain('hello from a notebook\n→ 42\n')
    expect(stdout).toContain(`→ a figure, in ${figure}`)
    expect(stdout).toMatch(/count .*500\.00[\s\S]*→ a table, \d+ characters of HTML/)
    expect(stdout).toContain("✗ AttributeError: 'DataFrame' object has no attribute 'nothing'")
    expect(stdout).toMatch(/✗ TimeoutError: .*1000 ms[\s\S]*turns > 0\n→ True\n/)
    expect(stdout).toMatch(/elsewhere .*\n→ False\n/)
    expect(readFileSync(figure).subarray(0, 8)).toEqual(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))
  },
  patienceMs,
)

it(
  'judge',
  async () => {
    const stdout = await run('judge/main.mjs')
    expect(stdout).toMatch(/^accepted\.c +accepted +3 tests/m)
    for (const verdict of ['wrong answer', 'time limit', 'memory limit', 'runtime error', 'compile error'])
      expect(stdout).toMatch(new RegExp(`^${verdict.replace(' ', '-')}\\.c +${verdict}`, 'm'))
    expect(stdout).toMatch(/^compile-error\.c .*main\.c:4:\d+: error: .*total/m)
    expect(stdout).toMatch(/^runtime-error\.c .*SIGSEGV$/m)
  },
  patienceMs,
)

it(
  'data-science',
  async () => {
    const stdout = await run('data-science/main.mjs')
    for (const tenant of ['alice', 'bob']) expect(stdout).toMatch(new RegExp(`^${tenant}: warm, after`, 'm'))
    expect(stdout).toMatch(/alice asks\n {2}import sales\n[\s\S]*as text\/plain, text\/html\n[\s\S]*north/)
    // Each has the prices of its own clone.
    const maxOf = (tenant: string) =>
      new RegExp(`${tenant} asks\\n(?: {2}.*\\n)*? {2}.*price\\.max\\(\\)\\nand gets.*\\n {2}(\\S+)`).exec(stdout)?.[1]
    expect([maxOf('alice'), maxOf('bob')]).toEqual(['9.0', '6.0'])
  },
  patienceMs,
)
