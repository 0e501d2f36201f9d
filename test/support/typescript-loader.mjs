/** Lets a process of a test run the sources as they are: Node 20 does not read TypeScript. */

import { readFile } from 'node:fs/promises'
import { register } from 'node:module'
import { isMainThread } from 'node:worker_threads'

// Imported by the process it registers itself as a loader, which then lives in a thread of its own.
if (isMainThread) register(import.meta.url)

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context)
  const { transform } = await import('esbuild')
  const { code } = await transform(await readFile(new URL(url), 'utf8'), { loader: 'ts', format: 'esm', target: 'es2022' })
  return { format: 'module', source: code, shortCircuit: true }
}
