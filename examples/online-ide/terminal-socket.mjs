// One terminal over one WebSocket: binary messages are what is typed and printed, text messages are about the terminal.
//
// With `id` it attaches to a terminal that runs, and what its screen shows comes first; with `run` it starts the project, else a shell.
// The socket's end is not the terminal's: it runs on, for a page that comes back.

const sizeMax = 500
const terminalsMax = 8
/** What a run has to end by itself, when another one takes its place. */
const graceMs = 2_000

/** @param {import('ws').WebSocket} socket @param {import('./workspaces.mjs').Workspace} workspace */
export async function serveTerminal(socket, workspace, parameters) {
  // What is typed before there is a terminal waits.
  socket.pause()
  const size = { cols: cells(parameters.get('cols'), 80), rows: cells(parameters.get('rows'), 24) }
  const id = parameters.get('id')
  const pty = id === null ? await start(workspace, size, parameters.has('run')) : workspace.sandbox.pty.get(id)
  if (pty === undefined) return socket.send(JSON.stringify({ type: 'ended' }))

  socket.on('message', async (data, isBinary) => {
    // Nothing more is read from the browser until the guest has taken this.
    socket.pause()
    try {
      if (isBinary) await pty.write(data)
      else await control(pty, JSON.parse(data))
    } catch {
      // It has ended, which the output tells, or the page talks nonsense.
    } finally {
      socket.resume()
    }
  })
  socket.resume()
  socket.send(JSON.stringify({ type: 'attached', id: pty.id }))
  if (id !== null) await pty.resize(size.cols, size.rows)

  // The next piece is taken when this one is on its way: a browser that is slow holds back the program, and not our memory.
  const output = pty[Symbol.asyncIterator]()
  socket.once('close', () => output.return?.())
  for (let next = await output.next(); !next.done; next = await output.next()) await send(socket, next.value)
  if (socket.readyState !== socket.OPEN) return
  const { exitCode } = await pty.wait()
  socket.send(JSON.stringify({ type: 'ended', exitCode }))
}

async function start(workspace, size, isRun) {
  const { sandbox } = workspace
  const running = (await sandbox.processes.list()).filter(({ pty }) => pty)
  if (running.length >= terminalsMax) throw new Error(`${terminalsMax} terminals are enough.`)
  if (!isRun) return sandbox.pty.create(size)
  // One run at a time: the port is free again when the last one has ended.
  const last = workspace.runId && sandbox.pty.get(workspace.runId)
  if (last) await end(last)
  const pty = await sandbox.pty.create({ ...size, command: ['sh', 'run.sh'] })
  workspace.runId = pty.id
  return pty
}

async function end(pty) {
  await pty.kill('SIGTERM')
  await pty.wait({ timeoutMs: graceMs }).catch(() => pty.kill('SIGKILL'))
  await pty.wait()
}

async function control(pty, message) {
  if (message.type === 'resize') await pty.resize(cells(message.cols, 80), cells(message.rows, 24))
  if (message.type === 'hangup') await pty.kill()
}

function cells(value, otherwise) {
  return Math.min(Math.max(Math.trunc(Number(value)) || otherwise, 2), sizeMax)
}

function send(socket, data) {
  return new Promise((resolve) => socket.send(data, resolve))
}
