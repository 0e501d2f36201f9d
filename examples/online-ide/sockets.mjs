// The WebSockets of the IDE: who may open one, how many, and which file serves it.
import { WebSocketServer } from 'ws'
import { serveEvents } from './events-socket.mjs'
import { serveTerminal } from './terminal-socket.mjs'

const messageBytesMax = 64 * 1024
const socketsPerTenantMax = 24
const routes = { '/api/events': serveEvents, '/api/terminal': serveTerminal }

/** `find` says whose workspace an upgrade is for, or undefined: then it gets no socket. Returns what ends them all. */
export function serveSockets(server, find) {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: messageBytesMax })
  /** How many each workspace has open. */
  const open = new WeakMap()

  server.on('upgrade', (request, connection, head) => {
    connection.on('error', () => {})
    const { pathname, searchParams } = new URL(request.url, 'http://localhost')
    const serve = routes[pathname]
    const workspace = find(request)
    if (!serve) return refuse(connection, '404 Not Found')
    if (!workspace) return refuse(connection, '403 Forbidden')
    const count = open.get(workspace) ?? 0
    if (count >= socketsPerTenantMax) return refuse(connection, '429 Too Many Requests')
    open.set(workspace, count + 1)
    connection.once('close', () => open.set(workspace, open.get(workspace) - 1))
    sockets.handleUpgrade(request, connection, head, async (socket) => {
      socket.on('error', () => {})
      try {
        await serve(socket, workspace, searchParams)
        socket.close(1000)
      } catch (error) {
        socket.close(1011, String(error.message).slice(0, 40))
      }
    })
  })
  return () => {
    for (const socket of sockets.clients) socket.terminate()
  }
}

function refuse(connection, status) {
  connection.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
