/** What is spoken with the host: one line of JSON in, frames out. The contract is protocol/runtime.md. */
'use strict'

const version = 1
/** One line, with its line feed. */
const requestBytesMax = 8 * 1024 * 1024
const payloadBytesMax = 65_536
/** Of all results of one run together. */
const resultBytesMax = 64 * 1024 * 1024
const resultsMax = 1_024
/** Of an error in JSON: what is around it stays within a frame. */
const errorBytesMax = 60_000

const kinds = { stdout: 1, stderr: 2, result: 3, data: 4, end: 5 }
const headBytes = 5
const contextName = /^[A-Za-z0-9_.-]{1,64}$/
const mimePattern = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/

class BadRequest extends Error {}

function frame(kind, payload) {
  const head = Buffer.allocUnsafe(headBytes)
  head[0] = kind
  head.writeUInt32BE(payload.length, 1)
  return Buffer.concat([head, payload])
}

/** One representation of a value: its head, and then all its bytes. */
function* resultFrames(isValue, mime, data) {
  const head = Buffer.alloc(5)
  head[0] = isValue ? 1 : 0
  head.writeUInt32BE(data.length, 1)
  yield frame(kinds.result, Buffer.concat([head, Buffer.from(mime, 'latin1')]))
  for (let start = 0; start < data.length; start += payloadBytesMax)
    yield frame(kinds.data, data.subarray(start, start + payloadBytesMax))
}

/** `dropped` is how many results were left out. */
function endFrame(error, dropped = 0) {
  const end = { ...(dropped > 0 && { dropped }), ...(error && { error: bounded(error) }) }
  return frame(kinds.end, Buffer.from(JSON.stringify(end)))
}

/** The beginning of each is kept: a stack begins with what went wrong. */
function bounded({ name, message, traceback }) {
  return {
    name: shortened(name, 256),
    message: shortened(message, errorBytesMax / 4),
    traceback: shortened(traceback, errorBytesMax / 2),
  }
}

function shortened(text, bytesMax) {
  let kept = String(text)
  while (Buffer.byteLength(JSON.stringify(kept)) > bytesMax) kept = `${kept.slice(0, Math.floor(kept.length * 0.75) - 1)}…`
  return kept
}

/** The request in one line, checked. */
function readRequest(line) {
  let request
  try {
    request = JSON.parse(line)
  } catch (error) {
    throw new BadRequest(`the request is no JSON: ${error.message}`)
  }
  if (typeof request !== 'object' || request === null || Array.isArray(request)) throw new BadRequest('the request is no object')
  if (request.version !== version) throw new BadRequest(`another version is not spoken here, but ${version}`)
  if (request.probe === true) return { probe: true, context: 'default' }
  const { context = 'default', source, cwd = '', baseEnv = {}, env = {} } = request
  if (typeof context !== 'string' || !contextName.test(context))
    throw new BadRequest("the context's name is not 1 to 64 of A-Z a-z 0-9 _ . -")
  if (typeof source !== 'string') throw new BadRequest('there is no source')
  if (typeof cwd !== 'string') throw new BadRequest('cwd is no text')
  checkEnvironment('baseEnv', baseEnv)
  checkEnvironment('env', env)
  return { context, source, cwd, baseEnv, env }
}

function checkEnvironment(field, variables) {
  if (typeof variables !== 'object' || variables === null || Array.isArray(variables))
    throw new BadRequest(`${field} is no object`)
  for (const [name, value] of Object.entries(variables)) {
    if (name === '' || /[=\0]/.test(name)) throw new BadRequest(`${field} has a name that is none`)
    if (value !== null && (typeof value !== 'string' || value.includes('\0')))
      throw new BadRequest(`${field} has a value that is none`)
  }
}

module.exports = {
  BadRequest,
  endFrame,
  frame,
  headBytes,
  kinds,
  mimePattern,
  payloadBytesMax,
  readRequest,
  requestBytesMax,
  resultBytesMax,
  resultFrames,
  resultsMax,
}
