/** One interpreter as the driver sees it: a process, its pipes, the run it is at, and those that wait. */
'use strict'

const { spawn } = require('node:child_process')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { endFrame, frame, headBytes, kinds, payloadBytesMax } = require('./wire.cjs')

/** Between an interrupt and the end of a context that does not heed it, in milliseconds. */
const interruptGraceMs = 2_000
/** Between two signals of one interrupt, in milliseconds. */
const repeatMs = 100
/** Of what is printed between two runs, per stream: the last of it is kept for the next. */
const lateBytesMax = 262_144
/** What is taken of a program that prints on without end, once the code has ended. */
const drainBytesMax = 1_048_576
/** Another text in every clone. */
const generationFile = '/run/warmcell/generation-id'

class Context {
  constructor(modules, onEnd) {
    this.name = ''
    this.onEnd = onEnd
    this.current = undefined
    this.waiting = []
    this.afterRun = undefined
    this.late = { stdout: [], stderr: [] }
    this.frames = Buffer.alloc(0)
    this.takenBytes = 0
    this.stubborn = false
    this.ready = new Promise((resolve) => {
      this.onReady = resolve
    })
    this.child = spawn(process.execPath, [...process.execArgv, join(__dirname, 'interpreter.cjs'), ...modules], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
    })
    for (const name of ['stdout', 'stderr']) {
      this.child[name].on('data', (data) => this.onOutput(name, data))
      this.child[name].on('error', () => {})
    }
    this.requests = this.child.stdio[3].on('error', () => {})
    this.answers = this.child.stdio[4].on('error', () => {}).on('data', (data) => this.onAnswer(data))
    this.child.on('error', (error) => this.onDeath(error.message))
    this.child.on('exit', (code, signal) => setImmediate(() => this.onDeath(code === null ? signal : code)))
  }

  take(run) {
    if (this.current === undefined) this.start(run)
    else this.waiting.push(run)
  }

  start(run) {
    this.current = run
    for (const name of ['stdout', 'stderr']) for (const data of this.late[name].splice(0)) this.sendOutput(name, data)
    const message = Buffer.from(JSON.stringify([generation(), run.request]))
    const head = Buffer.alloc(4)
    head.writeUInt32BE(message.length)
    this.requests.write(Buffer.concat([head, message]))
    if (run.interrupted) this.strike()
  }

  interrupt(run) {
    const at = this.waiting.indexOf(run)
    if (run === this.current) this.strike()
    else if (at !== -1) {
      this.waiting.splice(at, 1)
      run.refuse('InterruptedError', 'It was interrupted before it began.')
    }
  }

  /** As Ctrl-C at a terminal: the code, and the programs that it has started. */
  strike() {
    // An await is given up because of a word in the line of requests, and what is being executed because of the signal.
    this.requests.write(Buffer.alloc(4))
    this.signalGroup('SIGINT')
    // One that came before the code had begun broke nothing off.
    this.repeating = setInterval(() => this.signalGroup('SIGINT'), repeatMs)
    this.patience = setTimeout(() => {
      this.stubborn = true
      this.signalGroup('SIGKILL')
    }, interruptGraceMs)
  }

  signalGroup(signal) {
    try {
      process.kill(-this.child.pid, signal)
    } catch {
      // It has just ended.
    }
  }

  onOutput(name, data) {
    this.takenBytes += data.length
    if (this.current !== undefined) {
      this.sendOutput(name, data)
      return
    }
    const late = this.late[name]
    late.push(data)
    for (let bytes = late.reduce((sum, one) => sum + one.length, 0); bytes > lateBytesMax && late.length > 1; )
      bytes -= late.shift().length
  }

  sendOutput(name, data) {
    for (let start = 0; start < data.length; start += payloadBytesMax)
      this.current.send(frame(kinds[name], data.subarray(start, start + payloadBytesMax)))
    this.hold()
  }

  /** Whoever does not read holds back what prints. */
  hold() {
    const held = this.current !== undefined && !this.current.hasRoom
    for (const stream of [this.child.stdout, this.child.stderr, this.answers])
      if (stream.isPaused() !== held) stream[held ? 'pause' : 'resume']()
  }

  onRoom(run) {
    if (run === this.current) this.hold()
  }

  onAnswer(data) {
    this.frames = this.frames.length === 0 ? data : Buffer.concat([this.frames, data])
    while (this.frames.length >= headBytes) {
      const end = headBytes + this.frames.readUInt32BE(1)
      if (end > headBytes + payloadBytesMax) {
        this.signalGroup('SIGKILL') // Somebody else writes there.
        return
      }
      if (this.frames.length < end) return
      const one = this.frames.subarray(0, end)
      this.frames = this.frames.subarray(end)
      if (one[0] !== kinds.end) this.current?.send(one)
      else if (this.onReady !== undefined) this.becomeReady()
      else this.drained(this.current, () => this.onRunEnd(one))
    }
    this.hold()
  }

  becomeReady(refusal) {
    this.onReady?.(refusal)
    this.onReady = undefined
  }

  /** What was printed up to now has been taken once a turn of the loop brings no more. */
  drained(run, then) {
    const until = this.takenBytes + drainBytesMax
    const look = (seen) => {
      if (this.current !== run) return
      const more = this.child.stdout.isPaused() || this.takenBytes !== seen
      if (more && this.takenBytes < until) setImmediate(look, this.takenBytes)
      else then()
    }
    setImmediate(look, this.takenBytes)
  }

  onRunEnd(end) {
    const run = this.current
    this.current = undefined
    clearTimeout(this.patience)
    clearInterval(this.repeating)
    run?.finish(end)
    this.hold()
    this.afterRun?.()
    const next = this.waiting.shift()
    if (next !== undefined) this.start(next)
  }

  onDeath(how) {
    this.signalGroup('SIGKILL')
    clearTimeout(this.patience)
    clearInterval(this.repeating)
    const said = Buffer.concat(this.late.stderr).toString().trim()
    this.becomeReady(said === '' ? `it ended with ${how}` : said)
    this.onEnd()
    const run = this.current
    this.drained(run, () => {
      this.current = undefined
      run?.finish(endFrame({ name: 'ContextLost', message: this.describe(how), traceback: '' }))
    })
    // What waited is not at fault.
    for (const next of this.waiting.splice(0)) next.begin()
  }

  describe(how) {
    const ended = this.stubborn
      ? `did not stop within ${interruptGraceMs} ms of being interrupted, and was ended`
      : how === 'SIGKILL'
        ? 'was ended by SIGKILL, most likely because there was no memory left'
        : typeof how === 'number'
          ? `exited with ${how}`
          : `was ended by ${how}`
    return `The interpreter of the context '${this.name}' ${ended}: its variables are gone. The next run begins with a fresh one.`
  }
}

function generation() {
  try {
    return readFileSync(generationFile, 'utf8')
  } catch {
    return ''
  }
}

module.exports = { Context }
