/** `warmcell run`: one command in a fresh microVM, as if it ran here. */

import type { Process } from '../index.ts'
import { type FreshOptions, freshSandbox, poolFor } from './fresh.ts'
import { interruptible } from './interruption.ts'

interface RunOptions extends FreshOptions {
  timeout?: number
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
  await using pool = await poolFor(options)
  const sandbox = await freshSandbox(pool, options, interrupted)
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
