/** A pool whose guests have something at the port of an interpreter: a server of this process, or a real driver of this machine. */

import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TemplateSpec } from '../../../src/index.ts'
import { createFakePool, type FakePool } from '../../../src/testing/index.ts'

const port = 21_301

/** Templates `python` (with one interpreter) and `both` (with two), each answered by the server. */
export function poolAnsweredBy(server: (connection: Duplex) => void, more: TemplateSpec = {}): FakePool {
  const start = ['sleep', '1000000']
  return createFakePool({
    templates: {
      python: { start, interpreters: { python: { port } }, ...more },
      both: { start, interpreters: { node: { port: port + 1 }, python: { port } } },
    },
    defaults: { template: 'python' },
    onGuestStart: (guest) => {
      guest.listen(port, (connection) => server(connection.on('error', () => {})))
    },
  })
}

/** What hands a connection on to a port of this machine. */
export function forwardingTo(hostPort: number): (connection: Duplex) => void {
  return (connection) => {
    const socket = connect({ port: hostPort, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => connection.destroy())
    connection.on('close', () => socket.destroy())
    connection.pipe(socket)
    socket.pipe(connection)
  }
}

export const end = (error?: { name: string; message: string; traceback: string }): Buffer =>
  frame(5, Buffer.from(JSON.stringify({ ...(error && { error }) })))

export function frame(kind: number, payload: Buffer | string): Buffer {
  const head = Buffer.alloc(5)
  head[0] = kind
  head.writeUInt32BE(Buffer.byteLength(payload), 1)
  return Buffer.concat([head, Buffer.from(payload)])
}

/** One line, to its end; what follows stays in the connection. */
export async function requestOf(connection: Duplex): Promise<Record<string, unknown>> {
  let text = ''
  while (!text.includes('\n')) {
    const chunk = connection.read() as Buffer | null
    if (chunk !== null) text += chunk
    else await new Promise((resolve) => connection.once('readable', resolve))
  }
  return JSON.parse(text) as Record<string, unknown>
}
