/** `warmcell run`: one command in a fresh microVM, as if it ran here. */

import { createPool, type Isolation, type Process, WarmcellError } from '../index.ts'
import { interruptible } from './interruption.ts'
import { colour, say, withProgress } from './report.ts'
import { specOf } from './spec.ts'

interface RunOptions {
  file?: string
  env: string[]
  user?: string
  cwd?: string
  memory?: number
  vcpus?: number
  timeout?: number
  quiet?: boolean
  isolation?: Isolation
}

/** As timeout(1) has it. */
const exitCodeOfTimeout = 124

/** Signals that a person or a supervisor sends to this process are the command's. */
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const

export async function runCommand(command: string[], options: RunOptions): Promise<void> {
  await interruptible(async (interrupted, release) => {
    process.exitCode = await run(command, options, interrupted, release)
  }, forwarded)
}

async function run(command: string[], options: RunOptions, interrupted: AbortSignal, onStarted: () => void): Promise<number> {
  const { isolation: asked } = options
  const base = await specOf(options)
  await using pool = await createPool({ ...(asked && { isolation: asked }), templates: { base } })
  const creating = pool.createSandbox({
    env: Object.fromEntries(options.env.map(variable)),
    ...(options.user !== undefined && { user: options.user }),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    signal: interrupted,
  })
  const sandbox = await withProgress('making a microVM', creating, options.quiet)
  const { isolation, createMs, id } = sandbox.info()
  if (options.quiet !== true && process.stderr.isTTY) {
    const notice = isolation === 'emulated' ? ', emulated: no security boundary' : ''
    say(colour('dim', `${id} ready in ${Math.round(createMs)} ms${notice}`))
  }
  interrupted.throwIfAborted()
  const timeoutMs = options.timeout === undefined ? {} : { timeoutMs: options.timeout * 1_000 }
  await using guest = await sandbox.spawn(command, { stdin: 'pipe', retain: 'none', ...timeoutMs })
  onStarted()
  // Awaited here: the process is disposed of as soon as this function has returned.
  return await attach(guest)
}

/** Joins this process's input, output and signals to the guest's process until that ends; returns its exit code. */
async function attach(guest: Process): Promise<number> {
  const forward = (signal: NodeJS.Signals): void => void guest.kill(signal).catch(() => {})
  for (const signal of forwarded) process.on(signal, forward)
  const input = feed(guest)
  try {
    const [result] = await Promise.all([guest.wait(), copy(guest.stdout, process.stdout), copy(guest.stderr, process.stderr)])
    return result.timedOut ? exitCodeOfTimeout : result.exitCode
  } finally {
    input.stop()
    for (const signal of forwarded) process.removeListener(signal, forward)
  }
}

/** Copies stdin until it ends or the command does. A command that does not read holds nothing back: unread input is dropped with it. */
function feed(guest: Process): { stop: () => void } {
  const writer = guest.stdin.getWriter()
  const onData = (chunk: Buffer): void => {
    process.stdin.pause()
    writer.write(chunk).then(
      () => process.stdin.resume(),
      () => {},
    )
  }
  const onEnd = (): void => void writer.close().catch(() => {})
  process.stdin.on('data', onData).once('end', onEnd)
  return {
    stop: () => {
      process.stdin.removeListener('data', onData).removeListener('end', onEnd)
      process.stdin.pause()
      process.stdin.unref?.()
      writer.abort().catch(() => {})
    },
  }
}

/** Copies output at the pace of whoever reads it here. A reader that has gone (`| head`) ends the copying, not the command. */
async function copy(from: ReadableStream<Uint8Array>, to: NodeJS.WriteStream): Promise<void> {
  let gone = false
  to.once('error', () => {
    gone = true
  })
  for await (const chunk of from as unknown as AsyncIterable<Uint8Array>) {
    if (!gone) await new Promise<void>((resolve) => to.write(chunk, () => resolve()))
  }
}

function variable(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
  const value = process.env[text]
  if (at === -1 && value !== undefined) return [text, value]
  throw new WarmcellError('INVALID_ARGUMENT', `--env ${text}: expected NAME=VALUE, or the name of a variable that is set here.`)
}
