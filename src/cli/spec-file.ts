/** Reads a template's spec from a file: as JSON, or as what a module gives by its default export. */

import { readFile } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import * as warmcell from '../index.ts'
import { type TemplateSpec, WarmcellError } from '../index.ts'

const modules = ['.ts', '.mts', '.js', '.mjs']

/** @throws `INVALID_ARGUMENT`: the message names the file, and the line where one is to blame. */
export async function specFromFile(file: string): Promise<TemplateSpec> {
  const extension = extname(file)
  const isModule = modules.includes(extension)
  if (!isModule && extension !== '.json')
    throw refusal(file, `expected a file whose name ends with .json, ${modules.join(', ')}.`)
  const source = await readFile(file, 'utf8').catch((cause) => {
    throw refusal(file, cause.code === 'ENOENT' ? 'there is no such file.' : `it cannot be read: ${cause.message}.`, cause)
  })
  const spec = isModule ? await specOfModule(file) : parsed(file, source)
  if (typeof spec === 'object' && spec !== null && !Array.isArray(spec)) return spec
  throw refusal(file, `expected an object, a template's spec, and it is ${described(spec)}.`)
}

function parsed(file: string, source: string): unknown {
  try {
    return JSON.parse(source)
  } catch (cause) {
    throw refusal(file, `no JSON: ${oneLine(cause)}.`, cause)
  }
}

/** TypeScript needs no build: Node 20 does not read it, so jiti does, whatever Node this is. What the module imports as `warmcell` is this very package. */
async function specOfModule(file: string): Promise<unknown> {
  const path = resolve(file)
  const { createJiti } = await import('jiti') // 30 ms to load, which no other command should wait for
  const jiti = createJiti(path, { fsCache: false, moduleCache: false, interopDefault: false, virtualModules: { warmcell } })
  let exported: unknown
  try {
    const module: { default?: unknown } = await jiti.import(path)
    exported = await module.default
    if (typeof exported === 'function') return await exported()
  } catch (cause) {
    throw refusal(file, `${oneLine(cause)}${placeOf(cause, path)}.`, cause)
  }
  if (exported === undefined) {
    throw refusal(
      file,
      'it has no default export.',
      undefined,
      'Write `export default { … }`, or a function that returns the spec.',
    )
  }
  return exported
}

/** Where in the file it was thrown; a syntax error says so itself. */
function placeOf(cause: unknown, path: string): string {
  const stack = cause instanceof Error ? (cause.stack ?? '') : ''
  const line = stack.split('\n').find((frame) => /^\s+at /.test(frame) && frame.includes(`${path}:`))
  const number = line?.slice(line.indexOf(path) + path.length).match(/^:(\d+)/)?.[1]
  return number === undefined ? '' : ` (line ${number})`
}

/** What a program of somebody else's threw, which may be anything. */
function oneLine(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause)
  return text.trim().replace(/\s+/g, ' ').replace(/\.$/, '')
}

function described(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  return value === null || value === undefined ? String(value) : `a ${typeof value}`
}

function refusal(file: string, problem: string, cause?: unknown, hint?: string): WarmcellError {
  return new WarmcellError('INVALID_ARGUMENT', `--file ${file}: ${problem}`, { cause, hint })
}
