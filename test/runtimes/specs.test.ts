import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createPool, runtimes } from '../../src/index.ts'
import { resolveTemplate } from '../../src/template/index.ts'
import { Scratch } from '../support/scratch.ts'

const languages = ['python', 'node'] as const

/** The longest argument that Linux takes: each command is one. */
const argumentBytesMax = 131_071

test.each(languages)('the setup of %s writes the driver as it is here, with nothing but a shell', (language) => {
  using scratch = new Scratch()
  const { setup, start } = runtimes[language]
  for (const command of setup) {
    expect(Buffer.byteLength(command)).toBeLessThan(argumentBytesMax)
    execFileSync('/bin/sh', ['-c', command.replaceAll('/usr/lib/warmcell', scratch.hostPath)])
  }
  const here = new URL(`../../runtimes/${language}/`, import.meta.url).pathname
  const programsBelow = (hostPath: string): string[] =>
    readdirSync(hostPath, { recursive: true, encoding: 'utf8' }).filter((path) => /\.(py|cjs)$/.test(path))
  const written = programsBelow(scratch.join(language))
  expect(written.sort()).toEqual(programsBelow(here).sort())
  for (const path of written)
    expect(readFileSync(join(scratch.join(language), path), 'utf8')).toBe(readFileSync(join(here, path), 'utf8'))
  expect(written).toContain(start.at(-2)?.replace(`/usr/lib/warmcell/${language}/`, ''))
})

test.each(languages)('%s is a template as it stands, and more can be said of it', (language) => {
  const spec = runtimes[language]
  const more = { ...spec, start: [...spec.start, 'json'], setup: ['echo first', ...spec.setup], warm: 1 }
  const template = resolveTemplate(language, more)
  expect(template.interpreters).toEqual({ [language]: { port: Number(spec.start.at(-1)) } })
  expect(template.ready).toEqual({ port: Number(spec.start.at(-1)) })
  spec.setup.push('changed')
  expect(runtimes[language].setup).not.toContain('changed')
})

test('a pool takes them, and refuses an interpreter that is none', async () => {
  const wrong = { ...runtimes.python, interpreters: { python: { port: 70_000 } } }
  const options = { isolation: 'emulated', templates: { python: wrong } } as const
  await expect(createPool(options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
