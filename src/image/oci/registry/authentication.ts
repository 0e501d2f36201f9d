/** Who we are to one registry: what is shown to it, from the first challenge on. https://distribution.github.io/distribution/spec/auth/token/ */

import { z } from 'zod'
import { PullFailure } from '../failure.ts'
import { type Timing, withinTime } from '../timing.ts'
import { type Challenge, chooseChallenge } from './challenge.ts'
import type { Credentials } from './contract.ts'
import { statusFailure } from './status.ts'
import { type Answer, type Ask, readAnswer, type Transport } from './transport.ts'

/** Of a token server's answer, in bytes: tokens of several KiB are seen. */
const tokenBytesMax = 1_048_576

/** How long a token is good when it does not say, in seconds (the specification's). */
const defaultExpirySeconds = 60

/** So long before its end a token is no longer used, in milliseconds: a request takes a moment to arrive. */
const leewayMs = 5_000

/** Of a token that is said to be good for longer. In seconds. */
const expirySecondsMax = 86_400

const tokenSchema = z.object({
  token: z.string().nullish(),
  access_token: z.string().nullish(),
  expires_in: z.number().nullish(),
})

/** What may stand in a header. */
const visible = /^[\x21-\x7e]+$/

export interface AuthenticationParts {
  readonly transport: Transport
  readonly timing: Timing
  /** Of the registry, for messages. */
  readonly host: string
  readonly plainHttp: boolean
  /** Where a token server is not told what for: `repository:a/b:pull`. */
  readonly scope: string
  readonly credentials: (signal: AbortSignal) => Promise<Credentials | undefined>
}

export class Authentication {
  readonly #parts: AuthenticationParts
  #shown: { readonly header: string; readonly untilMs: number } | undefined
  #renewal: Promise<void> | undefined
  #hasCredentials = false

  constructor(parts: AuthenticationParts, bearer?: string) {
    this.#parts = parts
    if (bearer !== undefined) this.#show(`Bearer ${bearer}`)
    this.#hasCredentials = bearer !== undefined
  }

  /** What to send; undefined as long as nothing was asked for, and when it is no longer good. */
  get header(): string | undefined {
    if (this.#shown !== undefined && performance.now() > this.#shown.untilMs) this.#shown = undefined
    return this.#shown?.header
  }

  get hasCredentials(): boolean {
    return this.#hasCredentials
  }

  /**
   * Gets what the registry asks for. Many requests that are refused at once renew it once.
   *
   * @param refused what was sent with the request
   * @returns whether there is something to try that was not refused
   */
  async renew(answer: Answer, refused: string | undefined, signal: AbortSignal): Promise<boolean> {
    const now = this.header
    if (now === undefined || now === refused) {
      this.#renewal ??= this.#renew(answer, signal).finally(() => {
        this.#renewal = undefined
      })
      await this.#renewal
    }
    return this.header !== undefined && this.header !== refused
  }

  async #renew(answer: Answer, signal: AbortSignal): Promise<void> {
    const challenge = chooseChallenge(answer.headers('www-authenticate'))
    if (challenge === undefined) return
    const credentials = await this.#parts.credentials(signal)
    this.#hasCredentials = credentials !== undefined
    if (credentials?.kind === 'bearer') this.#show(`Bearer ${credentials.token}`)
    else if (challenge.scheme === 'bearer') await this.#fetchToken(challenge, credentials, signal)
    else if (credentials?.kind === 'password') this.#show(basic(credentials))
  }

  async #fetchToken(
    challenge: Challenge & { scheme: 'bearer' },
    credentials: Exclude<Credentials, { kind: 'bearer' }> | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { transport, timing, scope } = this.#parts
    const url = this.#realmOf(challenge)
    const asked = { service: challenge.service, scope: challenge.scope ?? scope }
    const ask: Omit<Ask, 'signal'> =
      credentials?.kind === 'identity'
        ? {
            url,
            method: 'POST',
            headers: { 'content-type': 'application/x-www-form-urlencoded' },
            body: formOf({ grant_type: 'refresh_token', client_id: 'warmcell', refresh_token: credentials.token, ...asked }),
          }
        : { url: withQuery(url, { ...asked, account: credentials?.username }), authorization: credentials && basic(credentials) }
    await withinTime({ what: `a token from ${url.host}`, timeoutMs: timing.documentMs, signal }, async (deadline) => {
      const answer = await transport.send({ ...ask, signal: deadline })
      if (answer.status !== 200) throw await statusFailure(answer, 'a token', credentials !== undefined, deadline)
      const { token, seconds } = parseToken(await readAnswer(answer, tokenBytesMax, deadline), answer.host)
      this.#show(`Bearer ${token}`, Math.max(0, seconds * 1_000 - leewayMs))
    })
  }

  /** Credentials go to the server that the registry names, for that is how registries work. Over HTTPS nobody else can name another. */
  #realmOf({ realm }: Challenge & { scheme: 'bearer' }): URL {
    const { host, plainHttp } = this.#parts
    const url = URL.canParse(realm) ? new URL(realm) : undefined
    const isGood = url !== undefined && (url.protocol === 'https:' || (plainHttp && url.protocol === 'http:'))
    if (!isGood || url.username !== '' || url.password !== '') {
      throw new PullFailure(`${host} names a token server that is not asked: it must speak HTTPS`, {
        hint: 'Ask whoever runs it.',
      })
    }
    return url
  }

  #show(header: string, forMs = Number.POSITIVE_INFINITY): void {
    this.#shown = { header, untilMs: performance.now() + forMs }
  }
}

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

function parseToken(bytes: Buffer, host: string): { token: string; seconds: number } {
  const failure = new PullFailure(`${host} gives no token that can be used`, { hint: 'Ask whoever runs it.' })
  try {
    const { token, access_token, expires_in } = tokenSchema.parse(JSON.parse(bytes.toString()))
    const found = token || access_token || ''
    if (!visible.test(found)) throw failure
    return {
      token: found,
      seconds: Math.min(Math.max(expires_in ?? defaultExpirySeconds, defaultExpirySeconds), expirySecondsMax),
    }
  } catch {
    // What is wrong with it may quote it.
    throw failure
  }
}

type Fields = Readonly<Record<string, string | undefined>>

function formOf(fields: Fields): string {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) form.set(name, value)
  return form.toString()
}

function withQuery(url: URL, fields: Fields): URL {
  const whole = new URL(url)
  // A scope is several, with spaces between.
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) whole.searchParams.append(name, value)
  return whole
}
