/** A registry that is not to be trusted: it answers as a test says, and otherwise as it should. */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Image } from './oci-image.ts'

export interface Request {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly url: URL
  readonly headers: IncomingMessage['headers']
}

/** Returns true where it has answered, or will. */
export type Rule = (request: Request, response: ServerResponse, body: Buffer | undefined) => boolean | Promise<boolean>

export class ForeignRegistry implements AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** What it was asked for. */
  readonly requests: Request[] = []
  rule: Rule = () => false
  readonly #server: Server
  readonly #documents = new Map<string, Buffer>()

  private constructor(server: Server, host: string) {
    this.#server = server
    this.host = host
  }

  static async start(): Promise<ForeignRegistry> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const registry = new ForeignRegistry(server, `127.0.0.1:${address.port}`)
    server.on('request', (request, response) => void registry.#answer(request, response))
    return registry
  }

  /** Everything of it, and its manifest under a tag. */
  add(image: Image, tag: string): void {
    for (const [digest, bytes] of image.blobs) this.#documents.set(digest, bytes)
    const manifest = image.blobs.get(image.manifest.digest)
    if (manifest) this.#documents.set(tag, manifest)
  }

  addDocument(name: string, bytes: Buffer): void {
    this.#documents.set(name, bytes)
  }

  /** How often something was asked for. */
  count(digest: string): number {
    return this.requests.filter(({ path, method }) => method === 'GET' && path.endsWith(`/${digest}`)).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(message.url ?? '/', `http://${this.host}`)
    const request = { method: message.method ?? '', path: url.pathname, url, headers: message.headers }
    this.requests.push(request)
    const body = this.#documents.get(url.pathname.split('/').at(-1) ?? '')
    if (await this.rule(request, response, body)) return
    if (body === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
      return
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const head = { 'content-length': body.length - from }
    if (from > 0) response.writeHead(206, { ...head, 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` })
    else response.writeHead(200, head)
    response.end(request.method === 'HEAD' ? undefined : body.subarray(from))
  }
}
