/** `warmcell run`: one command in a fresh microVM, as if it ran here. */

import type { Process, Sandbox } from '../index.ts'
import { interruptible } from './interruption.ts'
import { type MicrovmChoices, withMicrovm } from './microvm.ts'
import { exitCodeOfFailure, reportFailure } from './report.ts'
import { downloadAll, type Transfer, upload } from './transfer.ts'

interface RunOptions extends MicrovmChoices {
  timeout?: number
  upload: Transfer[]
  download: Transfer[]
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
  const { timeout, quiet } = options
  return withMicrovm(options, interrupted, async (sandbox) => {
    for (const transfer of options.upload) await upload(sandbox, transfer, interrupted, quiet)
    const timeoutMs = timeout === undefined ? {} : { timeoutMs: timeout * 1_000 }
    await using guest = await sandbox.spawn(command, { stdin: 'pipe', retain: 'none', ...timeoutMs })
    onStarted()
    const exitCode = await attach(guest)
    return await fetched(sandbox, options, exitCode)
  })
}

/** What the command has made, also where it failed. What cannot be fetched is told, and makes a success a failure. */
async function fetched(sandbox: Sandbox, { download, quiet }: RunOptions, exitCode: number): Promise<number> {
  let whole: boolean | undefined
  await interruptible(async (interrupted) => {
    whole = await downloadAll(sandbox, download, interrupted, quiet)
  })
  if (whole === undefined) return Number(process.exitCode) // interrupted
  return whole || exitCode !== 0 ? exitCode : exitCodeOfFailure
}

/** Joins this process's input, output and signals to the guest's process until that ends; returns its exit code. */
async function attach(guest: Process): Promise<number> {
  const forward = (signal: NodeJS.Signals): void => void guest.kill(signal).catch(() => {})
  for (const signal of forwarded) process.on(signal, forward)
  let lost = false
  const onLost = (error: NodeJS.ErrnoException): void => {
    // What the kernel does to one that writes to `| head`. Without it `yes` would go on for ever.
    if (error.code === 'EPIPE') forward('SIGPIPE')
    else {
      lost = true
      reportFailure(new Error(`The command's output could not be written here: ${error.message}.`))
    }
  }
  const input = feed(guest)
  try {
    const [result] = await Promise.all([
      guest.wait(),
      copy(guest.stdout, process.stdout, onLost),
      copy(guest.stderr, process.stderr, onLost),
    ])
    if (lost && result.ok) return exitCodeOfFailure
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

/** Copies output at the pace of whoever reads it here. When nobody takes it any more the rest is dropped, and told. */
async function copy(
  from: ReadableStream<Uint8Array>,
  to: NodeJS.WriteStream,
  onLost: (error: NodeJS.ErrnoException) => void,
): Promise<void> {
  let gone = false
  to.once('error', (error) => {
    gone = true
    onLost(error)
  })
  for await (const chunk of from as unknown as AsyncIterable<Uint8Array>) {
    if (!gone) await new Promise<void>((resolve) => to.write(chunk, () => resolve()))
  }
}
