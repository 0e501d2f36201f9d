/** What `docker login`, or podman's, has stored for a registry. */

import { readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { PullFailure } from '../failure.ts'
import type { Credentials } from './contract.ts'
import { askHelper } from './helper.ts'

/** Of the file, in bytes: each login is some 200. */
const fileBytesMax = 1_048_576

const configSchema = z.object({
  auths: z
    .record(
      z.string(),
      z.object({ auth: z.string().nullish(), identitytoken: z.string().nullish(), registrytoken: z.string().nullish() }),
    )
    .nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
  credsStore: z.string().nullish(),
})

/** Docker Hub's, which are stored under the URL of its first version. */
const hubKey = 'https://index.docker.io/v1/'

/** Of the first file that knows any. @throws a failure when a file or a helper cannot be used. */
export async function storedCredentials(
  registry: string,
  repository: string,
  signal: AbortSignal,
): Promise<Credentials | undefined> {
  for (const hostPath of configPaths(process.env)) {
    const config = await readConfig(hostPath)
    const found = config && (await credentialsOf(config, registry, repository, signal))
    if (found !== undefined) return found
  }
  return undefined
}

/** In the order in which they are looked at. */
function configPaths(environment: NodeJS.ProcessEnv): string[] {
  const { DOCKER_CONFIG, XDG_RUNTIME_DIR } = environment
  const docker = join(DOCKER_CONFIG || join(homedir(), '.docker'), 'config.json')
  return [docker, ...(XDG_RUNTIME_DIR ? [join(XDG_RUNTIME_DIR, 'containers', 'auth.json')] : [])]
}

async function credentialsOf(
  { auths, credHelpers, credsStore }: z.infer<typeof configSchema>,
  registry: string,
  repository: string,
  signal: AbortSignal,
): Promise<Credentials | undefined> {
  const keys = keysOf(registry, repository)
  const helpers = new Map(Object.entries(credHelpers ?? {}).map(([key, name]) => [plainKey(key), name]))
  const helper = keys.map((key) => helpers.get(key)).find((name) => name !== undefined) ?? credsStore
  if (helper) {
    const found = await askHelper(helper, registry === 'docker.io' ? hubKey : registry, signal)
    if (found !== undefined) return found
  }
  const stored = new Map(Object.entries(auths ?? {}).map(([key, entry]) => [plainKey(key), entry]))
  const entry = keys.map((key) => stored.get(key)).find((one) => one !== undefined)
  if (entry?.registrytoken) return { kind: 'bearer', token: entry.registrytoken }
  if (entry?.identitytoken) return { kind: 'identity', token: entry.identitytoken }
  const text = Buffer.from(entry?.auth ?? '', 'base64').toString()
  const colon = text.indexOf(':')
  return colon <= 0
    ? undefined
    : { kind: 'password', username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') }
}

/** Under what names credentials for it may be stored, the most particular first: podman stores them for parts of a registry as well. */
function keysOf(registry: string, repository: string): string[] {
  const parts = repository.split('/')
  const particular = parts.map((_, index) => [registry, ...parts.slice(0, parts.length - index)].join('/'))
  return [...particular, registry, ...(registry === 'docker.io' ? ['index.docker.io', 'registry-1.docker.io'] : [])]
}

/** `https://host/v1/` is `host`. */
function plainKey(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/(?:v[12]\/?)?$/, '')
}

async function readConfig(hostPath: string): Promise<z.infer<typeof configSchema> | undefined> {
  try {
    const { size } = await stat(hostPath)
    if (size > fileBytesMax) throw new Error(`it has more than ${fileBytesMax} bytes`)
    return configSchema.parse(JSON.parse(await readFile(hostPath, 'utf8')))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    // What is wrong with it may quote it.
    const reason = code ?? 'it is not as Docker writes it'
    throw new PullFailure(`the credentials in ${hostPath} cannot be read (${reason})`, {
      hint: 'Mend the file, or give `auth` for the registry in `registries`.',
    })
  }
}
