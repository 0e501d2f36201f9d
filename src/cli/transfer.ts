/** Files into a microVM and out of it, as the command line names them. */

import { basename, join } from 'node:path'
import { InvalidArgumentError } from 'commander'
import type { Sandbox } from '../index.ts'
import { colour, printable, reportFailure, say, withProgress } from './report.ts'

/** From one side to the other. */
export interface Transfer {
  readonly from: string
  readonly to: string
}

/** `FROM:TO`, as often as it is given. @throws InvalidArgumentError */
export function collectTransfer(text: string, before: Transfer[]): Transfer[] {
  const [from = '', to = '', ...more] = text.split(':')
  if (from !== '' && to !== '' && more.length === 0) return [...before, { from, to }]
  throw new InvalidArgumentError('Expected two paths with one colon between them.')
}

export async function upload(sandbox: Sandbox, { from, to }: Transfer, signal: AbortSignal, quiet = false): Promise<void> {
  await withProgress(`uploading ${from}`, sandbox.files.upload(from, to, { signal }), quiet)
}

/** Names what is left out: links that lead out of the tree, devices and the like. */
export async function download(sandbox: Sandbox, { from, to }: Transfer, signal: AbortSignal, quiet = false): Promise<void> {
  const onSkipped = ({ path, reason }: { path: string; reason: string }): void => {
    if (!quiet) say(colour('dim', `left out ${printable(path)}: ${reason}`))
  }
  await withProgress(`downloading ${from}`, sandbox.files.download(from, hostTarget(from, to), { signal, onSkipped }), quiet)
}

/** Each of them, whatever becomes of the others. @returns whether all are there */
export async function downloadAll(
  sandbox: Sandbox,
  all: readonly Transfer[],
  signal: AbortSignal,
  quiet = false,
): Promise<boolean> {
  let whole = true
  for (const transfer of all) {
    try {
      await download(sandbox, transfer, signal, quiet)
    } catch (error) {
      signal.throwIfAborted()
      reportFailure(error)
      whole = false
    }
  }
  return whole
}

/** A path that can only be a directory is where it goes into, under its own name. */
function hostTarget(guestPath: string, hostPath: string): string {
  return hostPath.endsWith('/') || /(^|\/)\.\.?$/.test(hostPath) ? join(hostPath, basename(guestPath)) : hostPath
}
