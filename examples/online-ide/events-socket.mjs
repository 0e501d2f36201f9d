// What a page is told without asking: which files change, what the microVM uses, and that it has ended.
import { posix } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { directory } from './workspaces.mjs'

const usageEveryMs = 2_000

/** @param {import('ws').WebSocket} socket @param {import('./workspaces.mjs').Workspace} workspace */
export async function serveEvents(socket, { sandbox }) {
  const leaving = new AbortController()
  const { signal } = leaving
  const left = new Promise((resolve) => socket.once('close', resolve))
  const ended = new Promise((resolve) => sandbox.once('destroyed', resolve))
  const tell = (event) => socket.send(JSON.stringify(event))
  try {
    await Promise.race([tellChanges(sandbox, tell, signal), tellUsage(sandbox, tell, signal), ended, left])
  } catch (error) {
    if (sandbox.state === 'running') throw error
  } finally {
    leaving.abort()
  }
  if (socket.readyState === socket.OPEN) tell({ type: 'ended', reason: await ended })
}

async function tellChanges(sandbox, tell, signal) {
  for await (const { type, path, from } of sandbox.files.watch('.', { recursive: true, signal })) {
    // The page speaks of paths in the project.
    const [at, before] = [path, from].map((one) => one && posix.relative(directory, one))
    tell({ type: 'file', change: type, path: at, from: before })
  }
}

async function tellUsage(sandbox, tell, signal) {
  while (!signal.aborted) {
    tell({ type: 'usage', usage: await sandbox.usage({ signal }) })
    await delay(usageEveryMs, undefined, { signal })
  }
}
