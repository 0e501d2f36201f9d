// A small function platform: tenants deploy handlers over HTTP and invoke them, each in microVMs of its tenant.
//
//   WARMCELL_ISOLATION=emulated node examples/functions/server.mjs
//   curl -X PUT --data-binary @examples/functions/hello.sh 'http://127.0.0.1:8080/functions/alice/hello?concurrency=2'
//   curl -X POST --data 'world' http://127.0.0.1:8080/functions/alice/hello
//
// README.md says what it shows, and how to put it under load.
import { createServer } from 'node:http'
import { createPool, WarmcellError } from 'warmcell'
import { BadRequest, Functions } from './functions.mjs'
import { Busy } from './instances.mjs'

const bodyBytesMax = 1024 * 1024

const pool = await createPool({
  templates: { base: { resources: { memoryMib: 128 }, warm: { min: 2, max: 8 } } },
  budget: { sandboxes: Number(process.env.SANDBOXES ?? 24) },
  // Who has enough instances waits for one of their own to be free; nobody else notices.
  tenants: { default: { sandboxes: 8 } },
  acquireTimeoutMs: 30_000,
})
pool.on('bootFailed', (error) => console.error(error.message.split('\n')[0]))
const functions = new Functions(pool)

/** What went wrong, in the words of HTTP. */
const statusOf = { TENANT_LIMIT: 429, POOL_EXHAUSTED: 503, POOL_CLOSED: 503, BOOT_FAILED: 503, SPAWN_FAILED: 502 }

const server = createServer(async (request, response) => {
  // A client that has gone needs no answer: what runs for it is ended.
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    await route(request, response, gone.signal)
  } catch (error) {
    if (gone.signal.aborted) return
    const status =
      error instanceof BadRequest ? 400 : error instanceof Busy ? 429 : WarmcellError.is(error) ? statusOf[error.code] : undefined
    answer(response, status ?? 500, { error: error.message || 'too many wait for this function', code: error.code })
  }
})

async function route(request, response, signal) {
  const { pathname, searchParams, search } = new URL(request.url, 'http://localhost')
  if (request.method === 'GET' && pathname === '/stats')
    return answer(response, 200, { functions: functions.stats(), pool: pool.stats() })
  const [, tenant, name] = /^\/functions\/([^/]+)\/([^/]+)$/.exec(pathname) ?? []
  if (tenant === undefined) return answer(response, 404, { error: 'PUT, POST or DELETE /functions/TENANT/NAME, or GET /stats' })
  if (request.method === 'DELETE') return answer(response, (await functions.remove(tenant, name)) ? 200 : 404, {})
  const body = await bodyOf(request)
  if (body === undefined) return answer(response, 413, { error: `at most ${bodyBytesMax} bytes` })
  if (request.method === 'PUT') return answer(response, 201, await functions.deploy(tenant, name, body, searchParams))
  if (request.method !== 'POST') return answer(response, 405, { error: 'PUT, POST or DELETE' })
  const instances = functions.find(tenant, name)
  if (instances === undefined) return answer(response, 404, { error: `${tenant} has no function '${name}'` })
  const { start, ms, result } = await instances.invoke({ method: request.method, query: search.slice(1), body }, signal)
  response.setHeader('x-start', start)
  response.setHeader('x-duration-ms', ms.toFixed(1))
  if (result.ok) response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(result.stdout)
  else answer(response, result.timedOut ? 504 : 502, failureOf(result))
}

/** Why a handler failed, in words; never more of what it printed than a person would read. */
function failureOf({ exitCode, timedOut, oomKilled, stderr }) {
  const error = timedOut
    ? 'the handler ran out of time'
    : oomKilled
      ? 'the handler ran out of memory'
      : `the handler exited with ${exitCode}`
  return { error, stderr: stderr.slice(-2_000) }
}

async function bodyOf(request) {
  const chunks = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > bodyBytesMax) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function answer(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`)
}

server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () =>
  console.log(
    `listening on http://127.0.0.1:${server.address().port}, isolation ${process.env.WARMCELL_ISOLATION ?? 'hardware'}`,
  ),
)

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    server.close()
    server.closeAllConnections()
    await pool.close()
  })
}
