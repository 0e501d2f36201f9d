/** One connection: a request that is read, waits, runs, and is answered. */
'use strict'

const { BadRequest, endFrame, readRequest, requestBytesMax } = require('./wire.cjs')

/** Runs of one context that wait for the one before. */
const queueMax = 32

class Run {
  constructor(socket, contextOf) {
    this.socket = socket
    this.contextOf = contextOf
    this.chunks = []
    this.bytes = 0
    this.request = undefined
    this.context = undefined
    this.interrupted = false
    this.over = false
    socket.on('data', (chunk) => this.onData(chunk))
    socket.on('end', () => this.interrupt())
    socket.on('drain', () => this.context?.onRoom(this))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.interrupt()
      this.over = true
      this.context?.onRoom(this)
    })
  }

  /** What comes after the request means nothing. */
  onData(chunk) {
    if (this.request !== undefined) return
    const end = chunk.indexOf(10)
    this.chunks.push(end === -1 ? chunk : chunk.subarray(0, end))
    this.bytes += chunk.length
    if (end === -1 && this.bytes < requestBytesMax) return
    const line = Buffer.concat(this.chunks)
    this.chunks = []
    try {
      if (end === -1 || line.length >= requestBytesMax) throw new BadRequest(`the request has more than ${requestBytesMax} bytes`)
      this.request = readRequest(line.toString())
    } catch (error) {
      this.request = {}
      this.refuse('BadRequest', error.message)
      return
    }
    this.begin()
  }

  begin() {
    if (this.over) return
    const context = this.contextOf(this.request.context)
    if (context === undefined) {
      this.refuse('TooManyContexts', 'There are 32 contexts already: use one of them.')
    } else if (context.waiting.length >= queueMax) {
      this.refuse('ContextBusy', `${queueMax} runs wait in the context '${context.name}' already.`)
    } else {
      this.context = context
      context.take(this)
    }
  }

  /** The host has closed its side: it wants no more of this. */
  interrupt() {
    if (this.over || this.interrupted) return
    this.interrupted = true
    if (this.context === undefined) this.socket.destroy()
    else this.context.interrupt(this)
  }

  get hasRoom() {
    return this.over || !this.socket.writableNeedDrain
  }

  send(frame) {
    if (!this.over) this.socket.write(frame)
  }

  refuse(name, message) {
    this.finish(endFrame({ name, message, traceback: '' }))
  }

  finish(end) {
    if (this.over) return
    this.over = true
    this.socket.end(end)
    // What has not been read yet would turn the end into a reset.
    this.socket.resume()
  }
}

module.exports = { Run }
