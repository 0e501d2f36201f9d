/** A program of the system that works through a pipe: started with a closed environment and no shell, and certainly ended. */

import { spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { RetainedBytes } from '../common/retained.ts'
import { foreignText } from '../common/text.ts'
import { WarmcellError } from '../errors.ts'

/** What a program says of its failure, in bytes and then in characters: its last words name the reason. */
const wordsBytesMax = 4_096
const wordsCharsMax = 300

/** Programs that are needed, and the packages of Debian and Ubuntu that have them. */
const packages = { tar2sqfs: 'squashfs-tools-ng', zstd: 'zstd' } as const
export type ToolName = keyof typeof packages

export interface Tool {
  readonly stdin: Writable
  readonly stdout: Readable
  /** @throws `HOST_UNSUPPORTED` where there is no such program; `IMAGE` with its own words when it has failed */
  readonly ended: Promise<void>
  /** Ends it, however far it is; resolves when it is gone. */
  kill(): Promise<void>
}

export function startTool(name: ToolName, args: readonly string[]): Tool {
  const child = spawn(name, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: '/',
    // Of the environment only where programs are: neither language nor time zone nor an option of the program may change what it writes.
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
  })
  const words = new RetainedBytes(wordsBytesMax, 'tail')
  child.stderr.on('data', (bytes: Buffer) => words.push(bytes)).on('error', () => {})
  // Whoever writes hears of it too, and why is said by `ended`.
  child.stdin.on('error', () => {})
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', (cause) => reject(startFailure(name, cause)))
    child.once('close', (code, signal) => (code === 0 ? resolve() : reject(failure(name, code ?? signal, words.text()))))
  })
  ended.catch(() => {})
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    ended,
    kill: () => {
      child.kill('SIGKILL')
      // What nobody reads any more would keep the pipe open.
      child.stdout.destroy()
      return ended.catch(() => {})
    },
  }
}

function startFailure(name: ToolName, cause: NodeJS.ErrnoException): WarmcellError {
  if (cause.code !== 'ENOENT') return new WarmcellError('IMAGE', `${name} could not be started: ${cause.message}.`, { cause })
  return new WarmcellError('HOST_UNSUPPORTED', `There is no ${name} on this host, which container images need.`, {
    hint: `Install it: apt-get install ${packages[name]}`,
    cause,
  })
}

function failure(name: ToolName, how: number | NodeJS.Signals | null, words: string): WarmcellError {
  const said = words === '' ? '' : `: ${foreignText(words.replace(/\s+/g, ' ').trim(), wordsCharsMax)}`
  return new WarmcellError('IMAGE', `${name} has ended with ${how}${said}.`)
}
