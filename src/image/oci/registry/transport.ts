/** One request after another over HTTP, with deadlines, following redirects: what leaves this host, and what of it stays secret. */

import { type Dispatcher, EnvHttpProxyAgent, request } from 'undici'
import { PullFailure } from '../failure.ts'
import type { Timing } from '../timing.ts'
import { hopsMax, nextHop } from './hop.ts'
import { proxiesOf } from './proxy.ts'

export interface Ask {
  readonly url: URL
  readonly signal: AbortSignal
  readonly method?: 'GET' | 'HEAD' | 'POST'
  /** Sent to the URL's own origin, and to no other. */
  readonly authorization?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Answer {
  readonly status: number
  /** Of a header that is there several times, the first. */
  header(name: string): string | undefined
  headers(name: string): readonly string[]
  /** Must be read, or given to `dismiss` or `discard`. */
  readonly body: Dispatcher.ResponseData['body']
  /** Whether somebody else answered than was asked. */
  readonly isRedirected: boolean
  /** Who answered, for messages. */
  readonly host: string
}

/** Of the headers of an answer, in bytes: as Node's own client. */
const headersBytesMax = 16_384

/** Connections to one host: as many layers come at once, and one for a manifest. */
const connectionsMax = 4

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

export class Transport {
  readonly #agent: Dispatcher
  readonly #isPlain: (host: string) => boolean
  readonly #deadlines: { readonly headersTimeout: number; readonly bodyTimeout: number }

  constructor(timing: Timing, isPlain: (host: string) => boolean) {
    this.#isPlain = isPlain
    // Of each request: what goes through a proxy would not have them from the agent.
    this.#deadlines = { headersTimeout: timing.headersMs, bodyTimeout: timing.idleMs }
    this.#agent = new EnvHttpProxyAgent({
      ...proxiesOf(process.env),
      // Plain HTTP is asked of a proxy as plain HTTP: few would open a tunnel for it.
      proxyTunnel: false,
      connect: { timeout: timing.connectMs },
      maxHeaderSize: headersBytesMax,
      connections: connectionsMax,
    })
  }

  /** @throws a failure; the signal's reason. */
  async send({ url, signal, method = 'GET', authorization, headers = {}, body }: Ask): Promise<Answer> {
    const own = { 'user-agent': 'warmcell', 'accept-encoding': 'identity', ...headers }
    let target = url
    let isRedirected = false
    for (let hop = 0; hop <= hopsMax; hop++) {
      const secret = authorization !== undefined && target.origin === url.origin && !isRedirected ? { authorization } : {}
      const response = await request(target, {
        dispatcher: this.#agent,
        ...this.#deadlines,
        method,
        headers: { ...own, ...secret },
        signal,
        ...(body !== undefined && { body }),
      }).catch((cause: unknown) => {
        throw networkFailure(target, cause, signal)
      })
      if (!redirects.has(response.statusCode)) return answerOf(response, target, isRedirected)
      dismiss(response.body)
      // What is posted is a secret: it goes where it was meant to go.
      if (method === 'POST')
        throw new PullFailure(`${url.host} redirects a request for a token`, { hint: 'Ask whoever runs it.' })
      const [location] = valuesOf(response, 'location')
      target = nextHop(target, location, this.#isPlain)
      // Once at another origin there is no way back: it could be made to lead anywhere.
      isRedirected ||= target.origin !== url.origin
    }
    throw new PullFailure(`${url.host} redirects more than ${hopsMax} times`, { hint: 'Ask whoever runs it.' })
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }
}

/** Of an answer whose words are not wanted, in bytes: so much is read to use the connection again, which costs less than another one. */
const idleBytesMax = 16_384

/** Of a short answer nothing more is wanted. */
export function dismiss(body: Answer['body']): void {
  body.dump({ limit: idleBytesMax }).catch(() => {})
}

/** Reads no further. */
export function discard(body: Answer['body']): void {
  body.on('error', () => {}).destroy()
}

/** All of it. @throws a failure when there are more bytes than that. */
export async function readAnswer({ body, host }: Answer, bytesMax: number, signal: AbortSignal): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of piecesOfAnswer(body, host, signal)) {
    length += piece.length
    if (length > bytesMax)
      throw new PullFailure(`${host} sends more than ${bytesMax} bytes for a document`, {
        hint: 'Look whether it is a registry.',
      })
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

export async function* piecesOfAnswer(body: Answer['body'], host: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* body as AsyncIterable<Uint8Array>
  } catch (cause) {
    throw networkFailure({ host }, cause, signal)
  } finally {
    discard(body)
  }
}

function answerOf(response: Dispatcher.ResponseData, { host }: URL, isRedirected: boolean): Answer {
  const headers = (name: string): readonly string[] => valuesOf(response, name)
  return { status: response.statusCode, headers, header: (name) => headers(name)[0], body: response.body, isRedirected, host }
}

function valuesOf({ headers }: Dispatcher.ResponseData, name: string): readonly string[] {
  const value = headers[name]
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}

/** What Node and undici say when a certificate is not good, or when TLS is not what is spoken. */
const certificate = /CERT|SIGNED|ISSUER|LEAF|ALTNAME/
const notTls = /^(?:EPROTO|ERR_SSL_)/

function networkFailure({ host }: { host: string }, cause: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  if (cause instanceof PullFailure) return cause
  const { code = '', message } = cause as NodeJS.ErrnoException
  if (certificate.test(code)) {
    const hint = 'Name the file of its authority in NODE_EXTRA_CA_CERTS.'
    return new PullFailure(`the certificate of ${host} is not trusted (${code})`, { hint, cause })
  }
  if (/^Proxy /.test(message)) {
    const hint = 'Look at HTTPS_PROXY and HTTP_PROXY, the password in them included, or name the registry in NO_PROXY.'
    return new PullFailure(`${host} cannot be reached through the proxy (${message})`, { hint, cause })
  }
  if (notTls.test(code)) {
    const hint = `Where it speaks plain HTTP only, set plainHttp for it in \`registries\`.`
    return new PullFailure(`${host} does not speak HTTPS (${code})`, { hint, cause })
  }
  const what = code === '' ? message : code
  return new PullFailure(`${host} cannot be reached, or broke off (${what})`, {
    hint: 'Look at the network and at the name of the registry, and try again.',
    retryable: true,
    cause,
  })
}
