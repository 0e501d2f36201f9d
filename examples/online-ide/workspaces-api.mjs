// A workspace over HTTP: open it, end it, take its files home, wait for one of its ports.
import { Hono } from 'hono'
import { failure } from './failure.mjs'
import { needsWorkspace } from './identity.mjs'

const portWaitMs = 30_000

/** @param {import('./workspaces.mjs').Workspaces} workspaces */
export function workspaceApi(workspaces, previewPort) {
  const api = new Hono()
  api.onError(failure)

  api.post('/', async (context) => {
    const { sandbox, previewKey, runId } = await workspaces.open(context.get('tenant'))
    const terminals = (await sandbox.processes.list()).filter(({ pty }) => pty)
    const { id, origin, createMs, isolation, template, createdAt } = sandbox.info()
    return context.json({
      sandbox: { id, origin, createMs, isolation, template, createdAt },
      terminals: terminals.map(({ id, command }) => ({ id, title: id === runId ? 'run' : command[0].split('/').pop() })),
      preview: `http://${previewKey}-{port}.localhost:${previewPort}`,
    })
  })

  api.use(needsWorkspace(workspaces))

  api.get('/project.tar.gz', async (context) => {
    const { sandbox } = context.get('workspace')
    // Straight from the guest's tar to the browser, at the browser's pace: nothing lies on this machine.
    const tar = await sandbox.spawn('tar -czf - . 2>/dev/null', { signal: context.req.raw.signal })
    return context.body(tar.stdout, 200, {
      'content-type': 'application/gzip',
      'content-disposition': 'attachment; filename="project.tar.gz"',
    })
  })

  api.post('/ports/:port', async (context) => {
    const { sandbox } = context.get('workspace')
    const port = Number(context.req.param('port'))
    await sandbox.ports.waitFor(port, { timeoutMs: portWaitMs, signal: context.req.raw.signal })
    return context.body(null, 204)
  })

  api.delete('/', async (context) => {
    await context.get('workspace').sandbox.destroy()
    return context.body(null, 204)
  })

  return api
}
