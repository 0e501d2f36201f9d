/** A template's spec is read from JSON and from modules, TypeScript among them; what is wrong with a file is said with its name and its line. */

import { describe, expect, it } from 'vitest'
import { specOf } from '../../src/cli/spec.ts'
import { Scratch } from '../support/scratch.ts'

/** What the file gives, or the error that it is refused with. */
async function specOfFile(name: string, text: string): Promise<unknown> {
  using scratch = new Scratch()
  return await specOf({ file: scratch.file(name, text) }).catch((error: unknown) => error)
}

const refused = (...words: string[]) =>
  expect.objectContaining({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(new RegExp(`^--file \\S+: .*${words.join('.*')}`)),
  })

describe('a spec', () => {
  it.each([
    ['spec.json', '{ "setup": ["true"] }'],
    ['spec.ts', 'const setup: string[] = ["true"]\nexport default { setup }'],
    ['spec.mts', 'enum Words { yes = "true" }\nexport default { setup: [Words.yes] }'],
    ['spec.mjs', 'export default async () => ({ setup: [await "true"] })'],
    ['spec.js', 'export default () => ({ setup: ["true"] })'],
    ['spec.ts', 'export default Promise.resolve({ setup: ["true"] })'],
    ['spec.ts', 'const setup = await Promise.resolve(["true"])\nexport default { setup }'],
  ])('is what %s gives', async (name, text) => {
    expect(await specOfFile(name, text)).toEqual({ setup: ['true'] })
  })

  it('may be put together from other files, and from this package', async () => {
    using scratch = new Scratch()
    scratch.file('sizes.ts', 'export const memoryMib: number = 192')
    const file = scratch.file(
      'spec.ts',
      `import { createPool, type TemplateSpec } from 'warmcell'
       import { memoryMib } from './sizes.ts'
       export default { resources: { memoryMib }, cwd: '/' + typeof createPool } satisfies TemplateSpec`,
    )
    expect(await specOf({ file })).toEqual({ resources: { memoryMib: 192 }, cwd: '/function' })
  })

  it('has what the command line says over it', async () => {
    using scratch = new Scratch()
    const file = scratch.file('spec.ts', 'export default { resources: { memoryMib: 192, pids: 64 }, setup: ["a"], start: "b" }')
    expect(await specOf({ file, memory: 256, setup: ['c'], start: 'd' })).toEqual({
      resources: { memoryMib: 256, pids: 64 },
      setup: ['a', 'c'],
      start: 'd',
    })
  })

  it('that was changed is read anew', async () => {
    using scratch = new Scratch()
    for (const start of ['one', 'two']) {
      const file = scratch.file('spec.ts', `export default { start: '${start}' }`)
      expect(await specOf({ file })).toEqual({ start })
    }
  })
})

describe('a file is refused', () => {
  it('that is not there', async () => {
    await expect(specOf({ file: '/no/spec.ts' })).rejects.toEqual(refused('there is no such file'))
    await expect(specOf({ file: '/no/spec.json' })).rejects.toEqual(refused('there is no such file'))
  })

  it.each([
    ['of an unknown kind', 'spec.yaml', 'setup: []', refused('\\.json', '\\.ts')],
    ['that is no JSON', 'spec.json', '{ "setup": [ }', refused('no JSON')],
    ['that is no TypeScript', 'spec.ts', 'const a = 1\n\nexport default { a: [1 }', refused('spec\\.ts:3:')],
    ['that imports what is not there', 'spec.ts', 'import "./nowhere.ts"\nexport default {}', refused('nowhere\\.ts')],
    ['that throws', 'spec.ts', '\n\nthrow new TypeError("out of\\n order")', refused('out of order \\(line 3\\)')],
    ['whose function throws', 'spec.mjs', 'export default () => {\n  null.spec\n}', refused('\\(line 2\\)')],
    ['that throws anything', 'spec.mjs', 'throw "a tantrum"', refused('a tantrum')],
    ['without a default export', 'spec.ts', 'export const setup = []', refused('no default export', 'export default')],
    ['that gives a list', 'spec.ts', 'export default []', refused('a list')],
    ['that gives nothing', 'spec.js', 'export default () => {}', refused('undefined')],
    ['that gives null', 'spec.json', 'null', refused('null')],
    ['that gives a number', 'spec.mts', 'export default 7', refused('a number')],
  ])('%s', async (_, name, text, error) => {
    expect(await specOfFile(name, text)).toEqual(error)
  })
})
