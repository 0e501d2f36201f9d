/** One interpreter: a process that takes one piece of code after the other, and keeps what it defines. */
'use strict'

const { writeSync, writeFileSync } = require('node:fs')
const { Socket } = require('node:net')
const { resolve } = require('node:path')
const { Writable } = require('node:stream')
const { inspect } = require('node:util')
const { setFlagsFromString } = require('node:v8')
const { runInNewContext } = require('node:vm')
const { describeError, Evaluator, Exit, trimmed } = require('./evaluate.cjs')
const { importFromHere, importName, requireFromHere } = require('./modules.cjs')
const { bundle, shown } = require('./present.cjs')
const { drawAnew, replaceAll } = require('./random.cjs')
const { endFrame, mimePattern, resultBytesMax, resultFrames, resultsMax } = require('./wire.cjs')

const requestsFd = 3
const answersFd = 4
/** Where memory runs out, the code goes before what starts it. */
const oomScore = '500'
/** Treads what code will tread, and leaves nothing behind. */
const probe = `(() => { console.log('ready'); for (const one of [1, 2, 3]) JSON.stringify(one); return { a: 1 + 1 } })()`

/** For a thread of Node's to wake up, in milliseconds. */
const settleMs = 10

const evaluator = new Evaluator()
let running = false
let generation
let begun = false
let interrupted = false
let left = { bytes: resultBytesMax, results: resultsMax }
let dropped = 0
function prepare(modules) {
  try {
    writeFileSync('/proc/self/oom_score_adj', oomScore)
  } catch {
    // It may not be raised here.
  }
  for (const [name, fd] of [
    ['stdout', 1],
    ['stderr', 2],
  ])
    Object.defineProperty(process, name, { value: blocking(fd), configurable: true, enumerable: true })
  replaceAll()
  // Where no code is being executed, an interrupt comes as a word in the line of requests.
  process.on('SIGINT', () => {})
  process.on('uncaughtException', tell)
  process.on('unhandledRejection', tell)
  process.exit = (code) => {
    throw new Exit(code ?? process.exitCode)
  }
  const give = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
  give(importName, importFromHere)
  give('require', requireFromHere())
  give('display', (...values) => {
    for (const value of values) show(shown(value), false)
  })
  for (const name of modules) require(require.resolve(name, { paths: [process.cwd()] }))
}

/** What is printed is in the pipe when the call returns: a reader that is slow holds the code back, and nothing is lost at its end. */
function blocking(fd) {
  const stream = new Writable({
    decodeStrings: true,
    write(chunk, _, done) {
      writeAll(fd, chunk)
      done()
    },
  })
  return Object.assign(stream, { fd, _type: 'pipe', isTTY: false })
}

const naps = new Int32Array(new SharedArrayBuffer(4))

function writeAll(fd, bytes) {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at)
    } catch (error) {
      if (error.code !== 'EAGAIN') return // Nobody is left to read.
      // A program that it has started has made the pipe of both not block.
      Atomics.wait(naps, 0, 0, 1)
    }
  }
}

/** What nobody has caught ends neither the run nor the context. */
function tell(error) {
  if (error instanceof Exit) return
  writeAll(2, Buffer.from(`Uncaught ${trimmed(inspect(error))}\n`))
}

function show(forms, isValue) {
  for (const [mime, data] of forms) {
    if (!mimePattern.test(mime)) continue
    if (left.results === 0 || data.length > left.bytes) {
      dropped++
      continue
    }
    left.results--
    left.bytes -= data.length
    for (const frame of resultFrames(isValue, mime, data)) writeAll(answersFd, frame)
  }
}

async function answer([now, request]) {
  if (now !== generation) {
    drawAnew()
    generation = now
  }
  left = { bytes: resultBytesMax, results: resultsMax }
  dropped = 0
  if (request.probe) {
    show(bundle(await evaluator.run(probe, 'probe')), true)
    return undefined
  }
  let before = {}
  try {
    if (!begun) begin(request)
    before = Object.fromEntries(Object.keys(request.env).map((name) => [name, process.env[name] ?? null]))
    setVariables(request.env)
    const value = await evaluator.run(request.source)
    if (value !== undefined) evaluator.guard(() => show(bundle(value), true))
    return undefined
  } catch (error) {
    return describeError('thrown' in error || error.name === 'InterruptedError' ? error : { thrown: error })
  } finally {
    setVariables(before)
  }
}

function begin({ baseEnv, cwd }) {
  setVariables(baseEnv)
  if (cwd !== '') process.chdir(resolve(process.env.HOME ?? '/', cwd))
  globalThis.require = requireFromHere()
  begun = true
}

function setVariables(variables) {
  for (const [name, value] of Object.entries(variables)) {
    if (value === null) delete process.env[name]
    else process.env[name] = value
  }
}

/** A signal that came while Node stopped listening for it is told to whoever listens next: that must not be the next run. */
function settle() {
  interrupted = false
  try {
    evaluator.guard(() => void Atomics.wait(naps, 0, 0, settleMs))
  } catch {
    // It was.
  }
}

async function onRequest(message) {
  if (message.length === 0) {
    evaluator.interrupt()
    interrupted = true
    if (!running) settle()
    return
  }
  if (running) return // Somebody else writes there.
  running = true
  let error
  try {
    error = await answer(JSON.parse(message))
  } catch (failure) {
    error = { name: 'Error', message: String(failure), traceback: '' }
  }
  if (interrupted || error?.name === 'InterruptedError') settle()
  running = false
  writeAll(answersFd, endFrame(error, dropped))
}

/** What starting has left behind would be collected in every clone anew. */
function collectGarbage() {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  setFlagsFromString('--no-expose-gc')
}

function listen() {
  let pending = Buffer.alloc(0)
  const requests = new Socket({ fd: requestsFd, readable: true, writable: false })
  requests.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk])
    while (pending.length >= 4 && pending.length >= 4 + pending.readUInt32BE(0)) {
      const end = 4 + pending.readUInt32BE(0)
      const message = pending.subarray(4, end)
      pending = pending.subarray(end)
      void onRequest(message)
    }
  })
  const over = () => process.reallyExit(0)
  requests.on('end', over).on('error', over)
  collectGarbage()
  writeAll(answersFd, endFrame())
}

prepare(process.argv.slice(2))
listen()
