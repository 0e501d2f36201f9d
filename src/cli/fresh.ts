/** The microVM of one command line: made as its options say, with a word of how that went. */

import { createPool, type Isolation, type Pool, type Sandbox, WarmcellError } from '../index.ts'
import { colour, say, withProgress } from './report.ts'
import { specOf } from './spec.ts'

export interface FreshOptions {
  file?: string
  env: string[]
  user?: string
  cwd?: string
  memory?: number
  vcpus?: number
  quiet?: boolean
  isolation?: Isolation
}

export async function poolFor(options: FreshOptions): Promise<Pool> {
  const { isolation } = options
  const base = await specOf(options)
  return createPool({ ...(isolation && { isolation }), templates: { base } })
}

export async function freshSandbox(pool: Pool, options: FreshOptions, signal: AbortSignal): Promise<Sandbox> {
  const creating = pool.createSandbox({
    env: Object.fromEntries(options.env.map(variable)),
    ...(options.user !== undefined && { user: options.user }),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    signal,
  })
  const sandbox = await withProgress('making a microVM', creating, options.quiet)
  const { isolation, createMs, id } = sandbox.info()
  if (options.quiet !== true && process.stderr.isTTY) {
    const notice = isolation === 'emulated' ? ', emulated: no security boundary' : ''
    say(colour('dim', `${id} ready in ${Math.round(createMs)} ms${notice}`))
  }
  signal.throwIfAborted()
  return sandbox
}

function variable(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
  const value = process.env[text]
  if (at === -1 && value !== undefined) return [text, value]
  throw new WarmcellError('INVALID_ARGUMENT', `--env ${text}: expected NAME=VALUE, or the name of a variable that is set here.`)
}
