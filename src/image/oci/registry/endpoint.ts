/** One repository of one registry, or of a mirror of it: https://github.com/opencontainers/distribution-spec */

import type { RegistryOptions } from '../contract.ts'
import { digestOf, isDigest } from '../digest.ts'
import { PullFailure } from '../failure.ts'
import { manifestBytesMax } from '../limits.ts'
import { acceptedTypes, isForeign } from '../media-types.ts'
import type { WantedBlob } from '../source/contract.ts'
import { type Timing, withinTime } from '../timing.ts'
import { Authentication } from './authentication.ts'
import { storedCredentials } from './credentials.ts'
import { statusFailure } from './status.ts'
import { type Answer, discard, dismiss, piecesOfAnswer, readAnswer, type Transport } from './transport.ts'

export interface EndpointParts {
  readonly transport: Transport
  readonly timing: Timing
  /** As it is named in references and options. */
  readonly registry: string
  readonly repository: string
  readonly options: RegistryOptions
}

/** Where Docker Hub's registry is reached: its name is that of its pages. */
const hub = { name: 'docker.io', host: 'registry-1.docker.io' } as const

interface Request {
  readonly path: string
  /** For messages: 'the manifest'. */
  readonly what: string
  readonly method?: 'GET' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
  /** What is no failure. */
  readonly accepted: readonly number[]
}

export class Endpoint {
  readonly #parts: EndpointParts
  readonly #base: string
  readonly #authentication: Authentication

  constructor(parts: EndpointParts) {
    this.#parts = parts
    const { transport, timing, registry, repository, options } = parts
    const host = registry === hub.name ? hub.host : registry
    const { auth, plainHttp = false } = options
    this.#base = `${plainHttp ? 'http' : 'https'}://${host}/v2/${repository}`
    const given = auth && 'username' in auth ? ({ kind: 'password', ...auth } as const) : undefined
    this.#authentication = new Authentication(
      {
        transport,
        timing,
        host,
        plainHttp,
        scope: `repository:${repository}:pull`,
        credentials: async (signal) => given ?? (await storedCredentials(registry, repository, signal)),
      },
      auth && 'token' in auth ? auth.token : undefined,
    )
  }

  /** What the registry says a tag stands for; undefined where it does not say. Costs nothing of what registries count. */
  async headManifest(version: string, signal: AbortSignal): Promise<string | undefined> {
    const answer = await this.#send(
      {
        path: `manifests/${version}`,
        what: 'the manifest',
        method: 'HEAD',
        headers: { accept: acceptedTypes },
        accepted: [200, 405, 501],
      },
      signal,
    )
    dismiss(answer.body)
    const digest = answer.header('docker-content-digest')
    return digest !== undefined && isDigest(digest) ? digest : undefined
  }

  async manifest(version: string, signal: AbortSignal): Promise<Uint8Array> {
    const { registry, timing } = this.#parts
    return withinTime({ what: `the manifest from ${registry}`, timeoutMs: timing.documentMs, signal }, async (deadline) => {
      const answer = await this.#send(
        { path: `manifests/${version}`, what: 'the manifest', headers: { accept: acceptedTypes }, accepted: [200] },
        deadline,
      )
      const bytes = await readAnswer(answer, manifestBytesMax, deadline)
      const digest = isDigest(version) ? version : answer.header('docker-content-digest')
      if (digest === undefined || !isDigest(digest) || digest === digestOf(bytes)) return bytes
      const hint = 'Try another mirror, or ask whoever runs it.'
      throw new PullFailure(`${answer.host} sends another manifest than its digest says`, { hint })
    })
  }

  async blob(
    { kind, digest, size, mediaType }: WantedBlob,
    offset: number,
    signal: AbortSignal,
  ): Promise<{ offset: number; body: AsyncIterable<Uint8Array> }> {
    const what =
      kind === 'manifest' ? 'the manifest' : isForeign(mediaType) ? 'a layer that its builder did not want pushed' : 'a blob'
    const range = offset === 0 ? {} : { range: `bytes=${offset}-` }
    const accept = kind === 'manifest' ? { accept: acceptedTypes } : {}
    const path = `${kind === 'manifest' ? 'manifests' : 'blobs'}/${digest}`
    const accepted = offset === 0 ? [200] : [200, 206, 416]
    const answer = await this.#send({ path, what, headers: { ...accept, ...range }, accepted }, signal)
    if (answer.status === 416) {
      discard(answer.body)
      return this.blob({ kind, digest, size, mediaType }, 0, signal)
    }
    const from = answer.status === 206 ? offset : 0
    const refusal = wrongRange(answer, from, size)
    if (refusal !== undefined) {
      discard(answer.body)
      throw refusal
    }
    return { offset: from, body: piecesOfAnswer(answer.body, answer.host, signal) }
  }

  async #send({ path, what, method = 'GET', headers = {}, accepted }: Request, signal: AbortSignal): Promise<Answer> {
    const { transport } = this.#parts
    const authentication = this.#authentication
    for (let isSecond = false; ; isSecond = true) {
      const authorization = authentication.header
      const answer = await transport.send({ url: new URL(`${this.#base}/${path}`), signal, method, headers, authorization })
      if (accepted.includes(answer.status)) return answer
      const isChallenge = answer.status === 401 && !answer.isRedirected && !isSecond
      if (!isChallenge || !(await authentication.renew(answer, authorization, signal))) {
        throw await statusFailure(answer, what, authentication.hasCredentials, signal)
      }
      dismiss(answer.body)
    }
  }
}

/** Before a byte is read: whether the answer is the part that was asked for, and as long as it must be. */
function wrongRange(answer: Answer, from: number, size: number): PullFailure | undefined {
  const range = answer.header('content-range')
  if (answer.status === 206 && !range?.startsWith(`bytes ${from}-`)) {
    return new PullFailure(`${answer.host} sends another part of a blob than it was asked for`, { hint: 'Ask whoever runs it.' })
  }
  const length = answer.header('content-length')
  if (length === undefined || Number(length) === size - from) return undefined
  const hint = 'Have the image pushed again, or use another.'
  return new PullFailure(`${answer.host} has a blob of another size than the manifest says`, { hint })
}
