/** Programs of the fake guest that listen, and small clients of the host, for the tests of ports. */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Sandbox } from '../../../src/index.ts'
import { createFakePool, type FakePool, type FakePoolOptions, type FakeProgram } from '../../../src/testing/index.ts'

/** A program that listens on the port it is given, and ends with its process. */
export function serving(server: (connection: Duplex) => void): FakeProgram {
  return ({ argv, listen, signal }) => {
    listen(Number(argv[1] ?? 80), server)
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(0), { once: true }))
  }
}

/** Sends back what comes, to its end. */
export const echo: FakeProgram = serving((connection) => void connection.on('error', () => {}).pipe(connection))

/** A pool whose guests have the programs, and `echo` as `echod`. */
export function poolWith(programs: Record<string, FakeProgram> = {}, options: FakePoolOptions = {}): FakePool {
  return createFakePool({ ...options, programs: { echod: echo, ...programs } })
}

/** Starts a program of it, and waits until it listens. */
export async function listening(sandbox: Sandbox, program = 'echod', port = 80): Promise<void> {
  await sandbox.spawn([program, String(port)])
  await sandbox.ports.waitFor(port)
}

/** A client that is connected. */
export async function dial(hostPort: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port: hostPort, host, allowHalfOpen: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** All that comes, to the end. */
export async function read(stream: Duplex): Promise<string> {
  let text = ''
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) text += String(chunk)
  return text
}

/** The code of the error it fails with, or 'closed'. */
export async function fate(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let code = 'closed'
    socket.once('error', (error: NodeJS.ErrnoException) => {
      code = error.code ?? error.message
    })
    socket.once('close', () => resolve(code))
    socket.resume()
  })
}
