/** A token server that a real registry believes: it signs, and says who asked for what. https://distribution.github.io/distribution/spec/auth/jwt/ */

import { createSign, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type Certificate, makeCertificate } from './certificate.ts'
import { login } from './registry.ts'
import type { Scratch } from './scratch.ts'

/** What is exchanged for a token, in place of the password. */
export const identityToken = 'an-identity'

interface Asked {
  readonly method: string
  readonly scope: string | null
  readonly service: string | null
}

export class TokenServer implements AsyncDisposable {
  /** Tokens that were given, in order. */
  readonly asked: Asked[] = []
  /** For a registry's configuration. */
  readonly auth: string
  /** That tokens say, in seconds. */
  expiresIn = 300
  readonly #server: Server
  readonly #key: string
  readonly #certificate: string

  private constructor(server: Server, port: number, { keyPath, certificatePath }: Certificate) {
    this.#server = server
    this.#key = readFileSync(keyPath, 'utf8')
    this.#certificate = readFileSync(certificatePath, 'utf8').replace(/-----[A-Z ]+-----|\n/g, '')
    this.auth = `token: { realm: "http://127.0.0.1:${port}/token", service: test, issuer: test, rootcertbundle: ${certificatePath} }`
  }

  static async start(scratch: Scratch): Promise<TokenServer> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const tokens = new TokenServer(server, address.port, await makeCertificate(scratch))
    server.on('request', async (message, response) => {
      const pieces: Uint8Array[] = []
      for await (const piece of message) pieces.push(piece)
      const form = new URLSearchParams(Buffer.concat(pieces).toString())
      const query = new URL(message.url ?? '/', 'http://localhost').searchParams
      const asked = message.method === 'POST' ? form : query
      const password = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`
      const isKnown =
        message.method === 'POST' ? form.get('refresh_token') === identityToken : message.headers.authorization === password
      if (!isKnown) return void response.writeHead(401).end('{"errors":[{"code":"UNAUTHORIZED"}]}')
      tokens.asked.push({ method: message.method ?? '', scope: asked.get('scope'), service: asked.get('service') })
      const token = tokens.#sign(asked.get('scope') ?? '')
      response.end(
        JSON.stringify({ [message.method === 'POST' ? 'access_token' : 'token']: token, expires_in: tokens.expiresIn }),
      )
    })
    return tokens
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #sign(scope: string): string {
    const [type = '', name = '', actions = ''] = scope.split(':')
    const now = Math.floor(Date.now() / 1_000)
    const claims = { iss: 'test', sub: login.username, aud: 'test', iat: now, nbf: now - 60, exp: now + 300, jti: randomUUID() }
    const parts = [
      { typ: 'JWT', alg: 'RS256', x5c: [this.#certificate] },
      { ...claims, access: scope === '' ? [] : [{ type, name, actions: actions.split(',') }] },
    ]
    const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    return `${text}.${createSign('RSA-SHA256').update(text).sign(this.#key, 'base64url')}`
  }
}
