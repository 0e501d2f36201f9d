/**
 * Answers runCode in JavaScript: what is left running in the snapshot.
 *
 *     node driver.cjs PORT [MODULE ...]
 *
 * Has its first interpreters ready, with the modules loaded, and then listens on 127.0.0.1:PORT. Node 18 or newer, and nothing else. What is spoken is in
 * protocol/runtime.md.
 */
'use strict'

const { createServer } = require('node:net')
const { Context } = require('./context.cjs')
const { Run } = require('./run.cjs')

const contextsMax = 32
/** As many as the agent makes at once. */
const connectionsMax = 128

const [port, ...modules] = process.argv.slice(2)
if (Number(process.versions.node.split('.')[0]) < 18) fail(`runCode needs Node 18 or newer, and this is ${process.version}.`)
if (!/^\d+$/.test(port ?? '') || Number(port) > 65_535) fail('usage: driver.cjs PORT [MODULE ...]')
// An interrupt is for the code that runs, never for whoever starts it.
process.on('SIGINT', () => {})

const contexts = new Map()
/** Started ahead: the next context that is asked for. */
let spare

function startContext() {
  const context = new Context(modules, () => {
    if (contexts.get(context.name) === context) contexts.delete(context.name)
    if (spare === context) spare = undefined
  })
  return context
}

/** The context of this name, made if need be; undefined when there are too many. */
function contextOf(name) {
  const known = contexts.get(name)
  if (known !== undefined) return known
  if (contexts.size >= contextsMax) return undefined
  const context = spare ?? startContext()
  spare = undefined
  context.name = name
  contexts.set(name, context)
  // Once this one has answered: what is asked for now comes first.
  context.afterRun = () => {
    context.afterRun = undefined
    if (contexts.size < contextsMax) spare ??= startContext()
  }
  return context
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}

async function main() {
  const first = startContext()
  first.name = 'default'
  contexts.set('default', first)
  spare = startContext()
  for (const context of [first, spare]) {
    const refusal = await context.ready
    if (refusal !== undefined) fail(`An interpreter cannot be started before the snapshot: ${refusal}`)
  }
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => new Run(socket, contextOf))
  server.maxConnections = connectionsMax
  server.listen(Number(port), '127.0.0.1', () => process.stdout.write(`listening on ${server.address().port}\n`))
}

main()
