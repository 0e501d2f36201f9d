/** A fresh microVM for one command line, gone when that is done. */

import { type CreateSandboxOptions, createPool, type Isolation, type Sandbox, WarmcellError } from '../index.ts'
import { colour, say, withProgress } from './report.ts'
import { type SpecChoices, specOf } from './spec.ts'

export interface MicrovmChoices extends SpecChoices {
  isolation?: Isolation
  quiet?: boolean
  env?: string[]
  user?: string
  cwd?: string
}

/** Gives one to `use`. When this has settled, nothing of it is left. */
export async function withMicrovm<T>(
  choices: MicrovmChoices,
  interrupted: AbortSignal,
  use: (sandbox: Sandbox) => Promise<T>,
): Promise<T> {
  const { isolation: asked, quiet } = choices
  const base = await specOf(choices)
  await using pool = await createPool({ ...(asked && { isolation: asked }), templates: { base } })
  const sandbox = await withProgress(
    'making a microVM',
    pool.createSandbox({ ...bindingOf(choices), signal: interrupted }),
    quiet,
  )
  const { isolation, createMs, id } = sandbox.info()
  if (quiet !== true && process.stderr.isTTY) {
    const notice = isolation === 'emulated' ? ', emulated: no security boundary' : ''
    say(colour('dim', `${id} ready in ${Math.round(createMs)} ms${notice}`))
  }
  interrupted.throwIfAborted()
  // Awaited here: the pool is disposed of as soon as this function has returned.
  return await use(sandbox)
}

/** @throws `INVALID_ARGUMENT` */
function bindingOf({ env = [], user, cwd }: MicrovmChoices): CreateSandboxOptions {
  return {
    env: Object.fromEntries(env.map(variable)),
    ...(user !== undefined && { user }),
    ...(cwd !== undefined && { cwd }),
  }
}

function variable(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
  const value = process.env[text]
  if (at === -1 && value !== undefined) return [text, value]
  throw new WarmcellError('INVALID_ARGUMENT', `--env ${text}: expected NAME=VALUE, or the name of a variable that is set here.`)
}
