/** Small clients of a port of this host. */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

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
