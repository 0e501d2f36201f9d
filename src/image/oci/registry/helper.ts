/** Asking a program that keeps credentials: https://github.com/docker/docker-credential-helpers */

import { execFile } from 'node:child_process'
import { z } from 'zod'
import { foreignText } from '../../../common/text.ts'
import { PullFailure } from '../failure.ts'
import type { Credentials } from './contract.ts'

/** A helper may ask its user: as long as one may need to type a password. In milliseconds. */
const deadlineMs = 60_000

/** Of what it prints, in bytes: tokens of several KiB are seen. */
const outputBytesMax = 65_536

const answerSchema = z.object({ Username: z.string(), Secret: z.string() })

/** What a helper says for a user name when the secret is an identity token. */
const identityUsername = '<token>'

/** Undefined where it has none. @throws a failure that does not repeat what it printed. */
export async function askHelper(name: string, server: string, signal: AbortSignal): Promise<Credentials | undefined> {
  // A name, and never a path: a config file is not to choose which program runs beyond those that are installed.
  if (!/^[\w.-]{1,64}$/.test(name)) throw helperFailure(name, 'its name is not valid')
  const { output, failure } = await run(`docker-credential-${name}`, server, signal)
  signal.throwIfAborted()
  if (failure !== undefined) {
    // What all of them print, and exit 1.
    if (/credentials not found/i.test(output)) return undefined
    throw helperFailure(name, failure)
  }
  try {
    const { Username, Secret } = answerSchema.parse(JSON.parse(output))
    if (Secret === '') return undefined
    return Username === identityUsername
      ? { kind: 'identity', token: Secret }
      : { kind: 'password', username: Username, password: Secret }
  } catch {
    throw helperFailure(name, 'it answers in another form than agreed')
  }
}

function run(program: string, server: string, signal: AbortSignal): Promise<{ output: string; failure: string | undefined }> {
  return new Promise((settle) => {
    const options = { timeout: deadlineMs, maxBuffer: outputBytesMax, killSignal: 'SIGKILL', signal, encoding: 'utf8' } as const
    const child = execFile(program, ['get'], options, (error, output) => {
      if (error === null) return settle({ output, failure: undefined })
      const { code, killed } = error
      const failure =
        code === 'ENOENT' ? 'it is not installed' : killed ? 'it took too long, or printed too much' : `it ended with ${code}`
      settle({ output, failure })
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(server)
  })
}

function helperFailure(name: string, reason: string): PullFailure {
  return new PullFailure(`the credential helper docker-credential-${foreignText(name, 64)} cannot be used: ${reason}`, {
    hint: 'Look at it, or give `auth` for the registry in `registries`.',
  })
}
