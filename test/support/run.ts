/** Runs a program of the system to its end. */

import { spawnSync } from 'node:child_process'

/** What it has printed. @throws an Error with its own words when it fails, or is not there */
export function program(name: string, args: readonly string[], input?: Buffer): Buffer {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' }
  const { status, error, stdout, stderr } = spawnSync(name, args, { input, env, maxBuffer: 1 << 28 })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${status}: ${stderr.toString()}`)
  return stdout
}
