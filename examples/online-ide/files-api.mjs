// The files of a workspace over HTTP. A path goes to the sandbox as it came: it is the guest that resolves it, inside its own root.
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { failure } from './failure.mjs'
import { needsWorkspace } from './identity.mjs'

/** What the editor opens and saves, and what is uploaded: it passes through this process's memory. */
const fileBytesMax = 4 * 1024 * 1024

/** @param {import('./workspaces.mjs').Workspaces} workspaces */
export function filesApi(workspaces) {
  const api = new Hono()
  api.onError(failure)
  api.use(needsWorkspace(workspaces))
  const files = (context) => context.get('workspace').sandbox.files
  const path = (context) => context.req.query('path') || '.'

  const tooLarge = (context) => context.json({ error: `Larger than ${fileBytesMax / 1024 / 1024} MiB.` }, 413)

  api.get('/', async (context) => {
    const entries = await files(context).list(path(context))
    return context.json(entries.map(({ name, type, size }) => ({ name, type, size })))
  })

  api.get('/content', async (context) => {
    const content = await upTo(fileBytesMax, await files(context).read(path(context), { format: 'stream' }))
    if (content === undefined) return tooLarge(context)
    return context.body(content, 200, { 'content-type': 'application/octet-stream' })
  })

  api.put('/content', bodyLimit({ maxSize: fileBytesMax, onError: tooLarge }), async (context) => {
    await files(context).write(path(context), new Uint8Array(await context.req.arrayBuffer()))
    return context.body(null, 204)
  })

  api.post('/directory', async (context) => {
    await files(context).mkdir(path(context))
    return context.body(null, 204)
  })

  api.post('/rename', async (context) => {
    const to = context.req.query('to')
    if (await files(context).exists(to)) return context.json({ error: `${to} is there already.` }, 409)
    await files(context).rename(path(context), to)
    return context.body(null, 204)
  })

  api.delete('/', async (context) => {
    await files(context).remove(path(context), { recursive: true })
    return context.body(null, 204)
  })

  return api
}

/** All of a stream, or undefined where that is more: what a file's size was a moment ago is the guest's word for it. */
async function upTo(bytesMax, stream) {
  const chunks = []
  let bytes = 0
  for await (const chunk of stream) {
    bytes += chunk.length
    if (bytes > bytesMax) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
