// A small online IDE: every tenant edits, runs and looks at a project in a microVM of their own. This file puts the parts together.
//
//   WARMCELL_ISOLATION=emulated node examples/online-ide/server.mjs
//
// README.md says what to look at, and what a product adds.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { createPool } from 'warmcell'
import { filesApi } from './files-api.mjs'
import { guard, tenantOfSocket } from './identity.mjs'
import { bundlePage } from './page-bundle.mjs'
import { servePreviews } from './preview.mjs'
import { serveSockets } from './sockets.mjs'
import { template, Workspaces } from './workspaces.mjs'
import { workspaceApi } from './workspaces-api.mjs'

// Two listeners, so two origins: what tenants serve can never read the IDE's page or its cookie.
const ide = await listen(Number(process.env.PORT ?? 8080))
const previews = await listen(Number(process.env.PREVIEW_PORT ?? 8081))
const origin = `http://localhost:${ide.address().port}`
const previewPort = previews.address().port

const pool = await createPool({
  // Booted and set up once; two clones wait, so that whoever opens the page finds one in milliseconds.
  templates: { ide: template },
  budget: { sandboxes: 16 },
  // What one tenant does holds nobody else up. A workspace is one sandbox; the second is the one that replaces it.
  tenants: { default: { sandboxes: 2, createsPerMinute: 10 } },
  acquireTimeoutMs: 60_000,
})
const workspaces = new Workspaces(pool)

const app = new Hono()
app.use(guard(origin, `http://*.localhost:${previewPort}`))
app.route('/api/workspace', workspaceApi(workspaces, previewPort))
app.route('/api/files', filesApi(workspaces))
const page = await bundlePage()
app.get('*', (context) => {
  const file = page.get(context.req.path)
  if (file === undefined) return context.notFound()
  return context.body(file.content, 200, { 'content-type': file.type, 'cache-control': 'no-cache' })
})

ide.on('request', getRequestListener(app.fetch))
const closeSockets = serveSockets(ide, (request) => workspaces.find(tenantOfSocket(request, origin)))
servePreviews(previews, workspaces)

await pool.ready({ template: 'ide' })
// createPool has refused any other than this.
console.log(`${origin} – microVMs run with isolation '${process.env.WARMCELL_ISOLATION || 'hardware'}'`)

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    closeSockets()
    for (const server of [ide, previews]) server.close().closeAllConnections()
    await pool.close()
  })
}

async function listen(port) {
  const server = createServer()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}
