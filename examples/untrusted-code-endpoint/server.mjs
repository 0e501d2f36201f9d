// An HTTP endpoint that runs code it was sent, each request in a microVM of its own.
//
//   WARMCELL_ISOLATION=emulated node examples/untrusted-code-endpoint/server.mjs
//   curl -X POST --data 'echo "hi from $(hostname)"' 'http://127.0.0.1:8080/run?tenant=alice'
import { createServer } from 'node:http'
import { createPool, WarmcellError } from 'warmcell'

const codeBytesMax = 64 * 1024
const runMsMax = 10_000
const outputBytesMax = 256 * 1024

const pool = await createPool({
  // Two wait, booted once and cloned: a request finds one in milliseconds.
  templates: { base: { warm: 2 } },
  budget: { sandboxes: 8 },
  // Who has enough is told so, and holds nobody else up; who finds no room waits in line, but not for ever.
  tenants: { default: { sandboxes: 4, createsPerMinute: 120 } },
  acquireTimeoutMs: 30_000,
  defaults: { timeoutMs: 60_000 },
})

/** What went wrong, in the words of HTTP. */
const statusOf = { TENANT_LIMIT: 429, POOL_EXHAUSTED: 503, POOL_CLOSED: 503, BOOT_FAILED: 503, INVALID_ARGUMENT: 400 }

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost')
  if (request.method !== 'POST' || url.pathname !== '/run') return answer(response, 404, { error: 'POST /run' })
  // A client that has gone needs no answer: its sandbox is given up at once.
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  let sandbox
  try {
    const code = await body(request)
    if (code === undefined) return answer(response, 413, { error: `at most ${codeBytesMax} bytes` })
    sandbox = await pool.createSandbox({
      tenant: url.searchParams.get('tenant') ?? 'anonymous',
      files: { 'main.sh': code },
      signal: gone.signal,
    })
    const { exitCode, stdout, stderr, timedOut, truncated, durationMs } = await sandbox.exec(['sh', 'main.sh'], {
      timeoutMs: runMsMax,
      maxBufferBytes: outputBytesMax,
      signal: gone.signal,
    })
    answer(response, 200, { exitCode, stdout, stderr, timedOut, truncated, durationMs: Math.round(durationMs) })
  } catch (error) {
    if (gone.signal.aborted) return
    answer(response, WarmcellError.is(error) ? (statusOf[error.code] ?? 500) : 500, { error: error.message, code: error.code })
  } finally {
    await sandbox?.destroy()
  }
})

async function body(request) {
  const chunks = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > codeBytesMax) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function answer(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`)
}

server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () =>
  console.log(`listening on http://127.0.0.1:${server.address().port}`),
)

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    server.close()
    server.closeAllConnections()
    await pool.close()
  })
}
