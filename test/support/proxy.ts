/** An HTTP proxy on loopback: it reaches whatever it is asked for on this host, and asks for a password where it has one. */

import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'

export class HttpProxy implements AsyncDisposable {
  /** `CONNECT name:port` and `GET http://…`, in their order. */
  readonly asked: string[] = []
  readonly #server: Server
  readonly #authorization: string | undefined
  readonly #sockets = new Set<Socket>()

  private constructor(password: string | undefined) {
    this.#authorization = password && `Basic ${Buffer.from(`alice:${password}`).toString('base64')}`
    this.#server = createServer((incoming, outgoing) => {
      this.asked.push(`${incoming.method} ${incoming.url}`)
      if (!this.#lets(incoming.headers)) return void outgoing.writeHead(407).end()
      const { port, pathname, search } = new URL(incoming.url ?? '')
      const { method, headers } = incoming
      const onward = request({ host: '127.0.0.1', port, path: pathname + search, method, headers, agent: false }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      })
      onward.on('error', () => outgoing.destroy())
      incoming.pipe(onward)
    })
    this.#server.on('connection', (socket) => this.#hold(socket))
    this.#server.on('connect', (incoming, socket: Socket) => {
      this.asked.push(`CONNECT ${incoming.url}`)
      if (!this.#lets(incoming.headers)) return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
      const onward = this.#hold(connect(Number(incoming.url?.split(':')[1]), '127.0.0.1'))
      onward.once('connect', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        socket.pipe(onward).pipe(socket)
      })
    })
  }

  static async start(password?: string): Promise<HttpProxy> {
    const proxy = new HttpProxy(password)
    await once(proxy.#server.listen(0, '127.0.0.1'), 'listening')
    return proxy
  }

  /** `127.0.0.1:PORT` */
  get host(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('it does not listen')
    return `127.0.0.1:${address.port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #lets(headers: IncomingHttpHeaders): boolean {
    return this.#authorization === undefined || headers['proxy-authorization'] === this.#authorization
  }

  #hold(socket: Socket): Socket {
    this.#sockets.add(socket)
    return socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket))
  }
}
