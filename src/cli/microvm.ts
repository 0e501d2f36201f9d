/** A fresh microVM for one command line, gone when that is done. */

import { type CreateSandboxOptions, createPool, type Isolation, type Sandbox } from '../index.ts'
import { colour, say, withProgress } from './report.ts'
import { type SpecChoices, specOf } from './spec.ts'

export interface MicrovmChoices extends SpecChoices {
  isolation?: Isolation
  quiet?: boolean
}

/** Gives one to `use`. When this has settled, nothing of it is left. */
export async function withMicrovm<T>(
  choices: MicrovmChoices,
  options: CreateSandboxOptions & { signal: AbortSignal },
  use: (sandbox: Sandbox) => Promise<T>,
): Promise<T> {
  const { isolation: asked, quiet } = choices
  const base = await specOf(choices)
  await using pool = await createPool({ ...(asked && { isolation: asked }), templates: { base } })
  const sandbox = await withProgress('making a microVM', pool.createSandbox(options), quiet)
  const { isolation, createMs, id } = sandbox.info()
  if (quiet !== true && process.stderr.isTTY) {
    const notice = isolation === 'emulated' ? ', emulated: no security boundary' : ''
    say(colour('dim', `${id} ready in ${Math.round(createMs)} ms${notice}`))
  }
  options.signal.throwIfAborted()
  // Awaited here: the pool is disposed of as soon as this function has returned.
  return await use(sandbox)
}
