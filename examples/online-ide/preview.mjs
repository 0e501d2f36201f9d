// What a workspace serves on its ports, shown to a browser: `http://<preview key>-<port>.localhost:<preview port>`.
//
// Each is an origin of its own, so what a tenant serves can read neither the IDE nor another tenant's preview. The key is what lets one in.
import { once } from 'node:events'
import { STATUS_CODES, request as send } from 'node:http'
import { pipeline } from 'node:stream/promises'

const connectMs = 10_000
const hostPattern = /^([0-9a-f]{20})-([0-9]{1,5})\.localhost(?::\d+)?$/

/** @param {import('node:http').Server} server @param {import('./workspaces.mjs').Workspaces} workspaces */
export function servePreviews(server, workspaces) {
  server.on('request', async (request, response) => {
    try {
      await forward(request, response, await connect(request, workspaces))
    } catch (error) {
      if (response.headersSent) return response.destroy()
      const [status, text] = explain(error)
      response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end(notice(text))
    }
  })
  server.on('upgrade', async (request, browser, head) => {
    browser.on('error', () => {})
    try {
      const guest = await connect(request, workspaces)
      guest.on('error', () => browser.destroy())
      browser.once('close', () => guest.destroy())
      guest.write(`${headOf(request)}\r\n`)
      guest.write(head)
      browser.pipe(guest).pipe(browser)
    } catch (error) {
      const [status] = explain(error)
      browser.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`)
    }
  })
}

class NoSuchPreview extends Error {}

/** A connection to the port that the request's host names. */
async function connect({ headers }, workspaces) {
  const [, key, port] = hostPattern.exec(headers.host ?? '') ?? []
  const workspace = key && workspaces.findByPreview(key)
  if (!workspace) throw new NoSuchPreview()
  return workspace.sandbox.ports.connect(Number(port), { timeoutMs: connectMs })
}

async function forward(request, response, guest) {
  const { method, url: path, headers } = request
  const outgoing = send({ createConnection: () => guest, method, path, headers: { ...headers, connection: 'close' } })
  response.once('close', () => outgoing.destroy())
  request.pipe(outgoing)
  const [incoming] = await once(outgoing, 'response')
  outgoing.on('error', () => response.destroy())
  const { connection, 'keep-alive': _, ...answer } = incoming.headers
  // While one edits, what was served a moment ago is old.
  response.writeHead(incoming.statusCode, { 'cache-control': 'no-cache', ...answer })
  await pipeline(incoming, response)
}

/** The request's first lines, as they came. */
function headOf({ method, url, rawHeaders }) {
  const lines = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? `${name}: ${rawHeaders[index + 1]}\r\n` : []))
  return `${method} ${url} HTTP/1.1\r\n${lines.join('')}`
}

function explain(error) {
  if (error instanceof NoSuchPreview) return [404, 'There is no such workspace (any more).']
  if (error.code === 'SANDBOX_GONE') return [410, 'This workspace has ended.']
  return [502, 'Nothing answers on this port yet.']
}

function notice(text) {
  return `<!doctype html><meta name="color-scheme" content="light dark"><title>Preview</title>
<body style="display:grid;place-items:center;min-height:90vh;font:15px system-ui;opacity:.6">${text}</body>\n`
}
