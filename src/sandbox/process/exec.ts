/** Running one command to its end: its input fed, its output gathered, its result or its error. */

import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import type { ExecOptions } from './options.ts'
import type { OutputStream } from './output.ts'
import type { SandboxProcess } from './process.ts'
import { CommandExitError, type ExecResult } from './result.ts'

/** Text as it comes; `flush` hands on what is left at the end, the beginning of a character that was never finished. */
export interface TextCallbacks {
  readonly onOutput: (stream: OutputStream, data: Uint8Array) => void
  readonly flush: () => void
}

/** Calls `onStdout` and `onStderr` with whole characters, whatever pieces the bytes come in. */
export function textCallbacks({ onStdout, onStderr }: ExecOptions): TextCallbacks | undefined {
  if (onStdout === undefined && onStderr === undefined) return undefined
  const sinks = { stdout: onStdout, stderr: onStderr }
  const decoders = {
    stdout: new TextDecoder('utf-8', { ignoreBOM: true }),
    stderr: new TextDecoder('utf-8', { ignoreBOM: true }),
  }
  const handOn = (stream: OutputStream, text: string): void => {
    if (text !== '') sinks[stream]?.(text)
  }
  return {
    onOutput: (stream, data) => handOn(stream, decoders[stream].decode(data, { stream: true })),
    flush: () => {
      for (const stream of ['stdout', 'stderr'] as const) handOn(stream, decoders[stream].decode())
    },
  }
}

/**
 * Feeds `stdin` and waits. A process that ends or closes its input early ends the feeding without an error, as a shell's pipe would; an
 * input that fails kills the process and rejects with the input's own error.
 */
export async function runToEnd(
  process: SandboxProcess,
  command: string,
  options: ExecOptions,
  sandboxId: string,
  text?: TextCallbacks,
): Promise<ExecResult> {
  const result = process.wait()
  result.catch(() => {})
  if (options.stdin !== undefined) {
    const { stdin } = process.guest
    const fed = feed(stdin, options.stdin)
    const inputFailure = await Promise.race([
      fed,
      result.then(
        () => undefined,
        () => undefined,
      ),
    ])
    if (!stdin.writableFinished) stdin.destroy()
    if (inputFailure !== undefined) {
      process.guest.abandon()
      throw inputFailure.error
    }
  }
  const outcome = await result
  text?.flush()
  if (options.check === true && !outcome.ok) throw new CommandExitError(command, outcome, sandboxId)
  return outcome
}

/** Resolves when the input has been taken or is no longer wanted; with the error when the caller's own input failed. */
async function feed(
  stdin: NodeJS.WritableStream,
  input: string | Uint8Array | AsyncIterable<string | Uint8Array>,
): Promise<{ error: unknown } | undefined> {
  if (typeof input === 'string' || input instanceof Uint8Array) {
    await new Promise<void>((resolve) => {
      stdin.once('close', resolve).once('error', () => resolve())
      stdin.end(input, () => resolve())
    })
    return undefined
  }
  let failure: { error: unknown } | undefined
  const source = async function* (): AsyncGenerator<string | Uint8Array> {
    try {
      for await (const piece of input) {
        // An empty piece holds nothing back: an input of nothing else would leave no turn to timers and signals.
        if (piece?.length === 0) await setImmediate()
        yield piece
      }
    } catch (error) {
      failure = { error }
      throw error
    }
  }
  await pipeline(Readable.from(source()), stdin).catch(() => {})
  return failure
}
