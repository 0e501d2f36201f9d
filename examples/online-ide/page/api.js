// The server's API as the page calls it.

/** Rejects with the server's own words. */
async function call(method, path, parameters = {}, options = {}) {
  const query = new URLSearchParams(parameters).toString()
  const response = await fetch(`/api${path}${query && `?${query}`}`, { method, ...options })
  if (response.ok) return response
  const { error, code } = await response.json().catch(() => ({ error: response.statusText }))
  throw Object.assign(new Error(error), { status: response.status, code })
}

export const openWorkspace = async () => (await call('POST', '/workspace')).json()
export const endWorkspace = () => call('DELETE', '/workspace')
export const waitForPort = (port, signal) => call('POST', `/workspace/ports/${port}`, {}, { signal })

export const list = async (path) => (await call('GET', '/files', { path })).json()
export const read = async (path) => new Uint8Array(await (await call('GET', '/files/content', { path })).arrayBuffer())
export const write = (path, body) => call('PUT', '/files/content', { path }, { body })
export const makeDirectory = (path) => call('POST', '/files/directory', { path })
export const rename = (path, to) => call('POST', '/files/rename', { path, to })
export const remove = (path) => call('DELETE', '/files', { path })

export function socket(path, parameters = {}) {
  const url = new URL(`/api${path}?${new URLSearchParams(parameters)}`, location.href)
  url.protocol = url.protocol.replace('http', 'ws')
  const made = new WebSocket(url)
  made.binaryType = 'arraybuffer'
  return made
}
