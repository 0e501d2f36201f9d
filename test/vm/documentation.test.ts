/** What the documentation shows runs as it is shown: the README's example, and every example of the public API. Needs the build in dist/. */

import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript'
import { expect, it } from 'vitest'
import { debianImage } from '../support/debian-image.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs a module that imports this package by its name. Node 20 does not know `await using`; TypeScript translates it, as a user's build would. */
async function run(source: string): Promise<string> {
  const { outputText } = transpileModule(source, { compilerOptions: { target: ScriptTarget.ES2022, module: ModuleKind.ESNext } })
  const env = { ...process.env, WARMCELL_ISOLATION: 'emulated' }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', outputText], { cwd: root, env })
  return stdout
}

const names = ['createPool', 'createSandbox', 'listMicrovms', 'openImages', 'openTemplates', 'reap', 'runtimes', 'WarmcellError']

/** On an image that is made here, where the example has one of a public registry. */
function onOwnImage(code: string): string {
  const image = JSON.stringify(debianImage('python'))
  return code
    .replace("'docker.io/library/python:3.12-slim'", image)
    .replace('= runtimes', `= { python: { ...runtimes.python, root: { oci: ${image} } } }`)
}

/** The code below each `@example` of a file, without the comment around it. */
function examplesOf(path: string): string[] {
  const blocks = readFileSync(path, 'utf8').matchAll(/@example\n \* ```ts\n([\s\S]*?) \* ```/g)
  return [...blocks].map(([, code = '']) => code.replace(/^ \* ?/gm, ''))
}

const documented = readdirSync(`${root}/src`, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.startsWith('testing/'))
  .flatMap((file) => examplesOf(`${root}/src/${file}`).map((code) => ({ file, code })))

it('the README', async () => {
  const [first = '', second = '', third = ''] = [
    ...readFileSync(`${root}/README.md`, 'utf8').matchAll(/```js\n([\s\S]*?)```/g),
  ].map(([, code = '']) => code)
  expect(await run(second)).toMatch(/^200 \d+\n$/)
  expect(await run(onOwnImage(third))).toBe('12.566370614359172\n')
  expect(await run(first)).toMatch(/^warm \d+ ms\n0 hello from Linux \S+\n\n1\n2\n3\n$/)
})

/** The guides' examples are whole modules; what needs another package is marked as `ts`. */
const guides = readdirSync(`${root}/docs/guide`).flatMap((file) => {
  const blocks = readFileSync(`${root}/docs/guide/${file}`, 'utf8').matchAll(/```js\n(import [\s\S]*?)```/g)
  return [...blocks].map(([, code = ''], index) => ({ file, number: index + 1, code }))
})

it.each(guides)('example $number of docs/guide/$file', async ({ code }) => {
  expect(await run(code)).not.toBe('')
})

it('every public class has one', () => {
  expect(new Set(documented.map(({ file }) => file))).toEqual(
    new Set([
      'errors.ts',
      'pool/contract.ts',
      'runtimes/runtimes.ts',
      'sandbox/contract.ts',
      'sandbox/files/contract.ts',
      'sandbox/ports/contract.ts',
      'sandbox/process/contract.ts',
      'sandbox/pty/contract.ts',
      'wiring/images.ts',
      'wiring/pool.ts',
      'wiring/supervise.ts',
      'wiring/templates.ts',
    ]),
  )
})

it.each(documented)('the example in src/$file', async ({ code }) => {
  expect(await run(`import { ${names.join(', ')} } from 'warmcell'\n${onOwnImage(code)}`)).not.toBe('')
})
