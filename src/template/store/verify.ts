/** Whether a stored template is what it was when it was stored. */

import type { BigIntStats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { WarmcellError } from '../../errors.ts'
import { digestFile, fingerprint, isShortage } from '../../host/index.ts'
import { storeFailure } from './failure.ts'
import { files } from './layout.ts'
import { type Manifest, readManifest } from './manifest.ts'

/** Read by anybody who may come here, written by nobody. */
export const fileMode = 0o444
export const directoryMode = 0o555

/** What was looked at in this process and found whole, by path: until it is touched, looking at its digests again would find the same. */
const whole = new Map<string, string>()

export interface VerifyOptions {
  /** Its digests are looked at even if they were before and nothing has been touched since. */
  readonly again?: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * Looks at the kind, owner and mode of everything, at sizes, and at the digests of what a clone is made from.
 *
 * @throws `TEMPLATE_CORRUPT` that says what is wrong; `HOST_UNSUPPORTED` when the host is too short of something to look; the signal's reason.
 */
export async function verifyTemplate(hostDirectory: string, key: string, options: VerifyOptions = {}): Promise<Manifest> {
  const { again = false, signal } = options
  try {
    const { manifest, seen } = await inspect(hostDirectory, key)
    if (again || whole.get(hostDirectory) !== seen) await assertDigests(hostDirectory, manifest, signal)
    whole.set(hostDirectory, seen)
    return manifest
  } catch (cause) {
    signal?.throwIfAborted()
    if (isShortage(cause)) throw storeFailure(cause)
    whole.delete(hostDirectory)
    throw new WarmcellError(
      'TEMPLATE_CORRUPT',
      `The stored template ${key.slice(0, 12)} is damaged: ${(cause as Error).message}.`,
      {
        hint: 'It is removed and built anew when it is next asked for.',
        retryable: true,
        cause,
      },
    )
  }
}

/** It has just been written and its digests computed from what was written: they need not be computed again. */
export async function rememberWhole(hostDirectory: string, key: string): Promise<void> {
  whole.set(hostDirectory, (await inspect(hostDirectory, key)).seen)
}

/** Everything that can be told without reading the files, and a fingerprint of them all. */
async function inspect(hostDirectory: string, key: string): Promise<{ manifest: Manifest; seen: string }> {
  const directory = await look(hostDirectory)
  if (!directory.isDirectory()) throw new Error('it is not a directory')
  assertMode('it', directory, directoryMode)
  const names: string[] = Object.values(files)
  const stranger = (await readdir(hostDirectory)).find((name) => !names.includes(name))
  if (stranger !== undefined) throw new Error(`'${stranger}' does not belong to it`)
  const manifest = await readManifest(hostDirectory)
  if (manifest.key !== key) throw new Error('its manifest is that of another')
  const seen: string[] = []
  for (const name of names) {
    const stats = await look(join(hostDirectory, name))
    if (!stats.isFile()) throw new Error(`'${name}' is not a file`)
    assertMode(`'${name}'`, stats, fileMode)
    const expected = name === files.memory || name === files.state ? manifest.files[name].sizeBytes : Number(stats.size)
    if (Number(stats.size) !== expected) throw new Error(`'${name}' has ${stats.size} bytes instead of ${expected}`)
    seen.push(fingerprint(stats))
  }
  return { manifest, seen: seen.join() }
}

async function look(hostPath: string): Promise<BigIntStats> {
  return lstat(hostPath, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    throw isShortage(error) ? error : new Error(`${hostPath} cannot be looked at (${error.code})`)
  })
}

function assertMode(what: string, { mode, uid }: BigIntStats, expected: number): void {
  const found = Number(mode) & 0o7777
  if (found !== expected) throw new Error(`${what} has mode 0${found.toString(8)} instead of 0${expected.toString(8)}`)
  const own = process.getuid?.()
  if (own !== undefined && Number(uid) !== own) throw new Error(`${what} belongs to the user ${uid}`)
}

/** The memory of a stage is looked at where it is used, in the copy that a build goes on in. */
async function assertDigests(hostDirectory: string, manifest: Manifest, signal: AbortSignal | undefined): Promise<void> {
  for (const name of manifest.stage === undefined ? ([files.state, files.memory] as const) : ([files.state] as const)) {
    const found = await digestFile(join(hostDirectory, name), signal)
    if (found !== manifest.files[name].sha256) throw new Error(`'${name}' does not hold what was stored`)
  }
}
