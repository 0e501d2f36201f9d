/** A listening port of the host whose connections lead into the guest. */

import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { z } from 'zod'
import { assertValid, plainText, port as portSchema } from '../../common/validate.ts'
import { WarmcellError } from '../../errors.ts'
import type { ExposedPort, ExposeOptions } from './contract.ts'

/** Sockets of one exposed port, those that wait in line for a connection into the guest included. More are closed as they come: each takes a descriptor. */
const hostSocketsMax = 1_024

const hostDefault = '127.0.0.1'

const exposeSchema = z.strictObject({
  hostPort: portSchema.optional(),
  host: plainText.refine((text) => text !== '', 'expected an address of this machine').optional(),
})

/** @throws `INVALID_ARGUMENT` */
export function assertExposeOptions(options: unknown): void {
  assertValid(exposeSchema, options, 'ports.expose')
}

export class HostPort implements ExposedPort {
  readonly port: number
  /** Called once, when it listens no longer. */
  onClose: (() => void) | undefined
  readonly #connect: (signal: AbortSignal) => Promise<Duplex>
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #host = hostDefault
  #hostPort = 0
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  /** @param connect makes one connection into the guest, or gives it up when the signal says so */
  constructor(port: number, connect: (signal: AbortSignal) => Promise<Duplex>) {
    this.port = port
    this.#connect = connect
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => void this.#forward(socket))
    this.#server.maxConnections = hostSocketsMax
    this.#server.on('listening', () => {
      if (this.#closing.signal.aborted) this.#server.close()
    })
  }

  get hostPort(): number {
    return this.#hostPort
  }

  get url(): string {
    return `http://${reachable(this.#host)}:${this.#hostPort}`
  }

  /** @throws `INVALID_ARGUMENT` when that port of that address cannot be had; `HOST_UNSUPPORTED` when no socket can. */
  async listen({ host = hostDefault, hostPort = 0 }: ExposeOptions): Promise<void> {
    this.#host = host
    this.#server.listen({ host, port: hostPort })
    try {
      await once(this.#server, 'listening', { signal: this.#closing.signal })
    } catch (cause) {
      // Its sandbox has ended while the name was looked up: whoever waits says so.
      if (this.#closing.signal.aborted) return
      throw listenFailure(cause as NodeJS.ErrnoException, host, hostPort)
    }
    // A server that is short of descriptors says so, and goes on with the next connection.
    this.#server.on('error', () => {})
    const address = this.#server.address()
    if (address !== null && typeof address === 'object') this.#hostPort = address.port
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#closing.abort()
      this.#server.close(() => resolve())
      for (const socket of this.#sockets) socket.resetAndDestroy()
      this.onClose?.()
    })
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #forward(socket: Socket): Promise<void> {
    const gone = new AbortController()
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => {
      this.#sockets.delete(socket)
      gone.abort()
    })
    if (this.#closing.signal.aborted) {
      socket.resetAndDestroy()
      return
    }
    try {
      couple(socket, await this.#connect(gone.signal))
    } catch {
      // Refused, or the sandbox is gone: the client is told as a kernel would tell it, as far as that is still possible.
      socket.resetAndDestroy()
    }
  }
}

/** Each way at the pace of its reader, and to its own end; a reset of one is a reset of the other. */
function couple(socket: Socket, connection: Duplex): void {
  if (socket.destroyed) {
    connection.destroy()
    return
  }
  socket.once('close', () => connection.destroy())
  connection.once('close', () => {
    // What the guest had said to its end is still delivered; what it broke off is broken off.
    if (connection.readableEnded) socket.destroySoon()
    else socket.resetAndDestroy()
  })
  socket.pipe(connection)
  connection.pipe(socket)
}

/** An address that means all of them is no address to go to. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return hostDefault
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}

function listenFailure(cause: NodeJS.ErrnoException, host: string, hostPort: number): WarmcellError {
  const { code = 'unknown' } = cause
  const hint = remedies[code]
  const where = `${host}:${hostPort === 0 ? 'any' : hostPort}`
  return new WarmcellError(
    hint === undefined ? 'HOST_UNSUPPORTED' : 'INVALID_ARGUMENT',
    `Listening on ${where} failed (${code}).`,
    {
      hint: hint ?? (code === 'EMFILE' || code === 'ENFILE' ? 'Raise the limit of open files (ulimit -n).' : undefined),
      retryable: code === 'EADDRINUSE' || code === 'EMFILE' || code === 'ENFILE',
      cause,
    },
  )
}

/** What is wrong with what was asked for, and what to ask for. */
const remedies: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Another program listens there: name another `hostPort`, or none for one that is free.',
  EACCES: 'This user may not use that port: name one above 1023, or none for one that is free.',
  EADDRNOTAVAIL: '`host` is no address of this machine.',
  EINVAL: '`host` is no address of this machine, and no name that could be one.',
  ENOTFOUND: '`host` is no address, and no name that is known.',
  EAI_AGAIN: '`host` is no address, and its name cannot be looked up now.',
}
