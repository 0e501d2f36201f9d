/**
 * Running one piece of code as the console of a browser does: V8's own mode for that lets `await` stand anywhere and `const` be declared again, and knows the value of the last
 * expression. It is asked for through the inspector of this very process, within a script that a SIGINT breaks off.
 */
'use strict'

const { Session } = require('node:inspector')
const { inspect, types } = require('node:util')
const { promiseHooks } = require('node:v8')
const vm = require('node:vm')
const { withoutImports } = require('./modules.cjs')

const slot = Symbol.for('warmcell.breakable')
const breakable = new vm.Script(`globalThis[Symbol.for('warmcell.breakable')]()`, { filename: 'warmcell' })

class Interrupted extends Error {
  constructor() {
    super('The code was interrupted.')
    this.name = 'InterruptedError'
    this.stack = 'InterruptedError: The code was interrupted.\n'
  }
}

/** What process.exit() throws: it ends the run, and not the context. */
class Exit extends Error {
  constructor(code) {
    super(`process.exit(${code ?? ''})`)
    this.name = 'Exit'
    this.code = code
  }
}

class Evaluator {
  constructor() {
    this.count = 0
    this.session = new Session()
    this.session.connect()
    this.interrupt = () => {}
    this.awaited = new Set()
    this.taken = undefined
    this.take = (value) => {
      this.taken = value
    }
  }

  /** The value of the last expression. Throws an Interrupted, or `{ thrown, details }` with what the code has thrown. */
  async run(source, label = `cell-${++this.count}`) {
    const expression = `${withoutImports(asExpression(source))}\n//# sourceURL=${label}`
    const parameters = { expression, replMode: true, awaitPromise: true, objectGroup: 'run' }
    try {
      const { result, exceptionDetails: details } = await this.interruptible(() => this.post('Runtime.evaluate', parameters))
      if (details === undefined) return this.valueOf(result)
      throw { thrown: this.valueOf(details.exception ?? result), details, source, label }
    } finally {
      this.session.post('Runtime.releaseObjectGroup', { objectGroup: 'run' })
    }
  }

  /** Does what runs code of the tenant's, synchronously; a SIGINT breaks it off. */
  guard(work) {
    let outcome
    Object.defineProperty(globalThis, slot, {
      value: () => {
        outcome = work()
      },
      configurable: true,
    })
    try {
      breakable.runInThisContext({ breakOnSigint: true })
      return outcome
    } catch (error) {
      if (error?.code !== 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw error
      throw new Interrupted()
    } finally {
      delete globalThis[slot]
    }
  }

  async interruptible(begin) {
    const interrupted = new Promise((_, reject) => {
      this.interrupt = () => reject(new Interrupted())
    })
    try {
      const running = this.guard(() => {
        const promise = begin()
        // What can go on at once goes on in here, where it can be broken off.
        process._tickCallback?.()
        return promise
      })
      return await Promise.race([running, interrupted])
    } finally {
      this.interrupt = () => {}
    }
  }

  /**
   * The first promise that comes into being is the code's own, whose end the inspector waits for. It is held until then: of one that is collected, because what it awaits never comes, the
   * inspector tells in the middle of the collection, which ends the process from Node 22 on.
   */
  post(method, parameters) {
    return new Promise((resolve, reject) => {
      let own
      const stop = promiseHooks.onInit((promise) => {
        stop()
        own = promise
        this.awaited.add(promise)
      })
      this.session.post(method, parameters, (error, answer) => {
        stop()
        this.awaited.delete(own)
        if (error === null) resolve(answer)
        else reject(new Error(error.message))
      })
    })
  }

  /** The value itself, of what the inspector says about it. */
  valueOf({ objectId, unserializableValue, value }) {
    if (objectId === undefined && unserializableValue === undefined) return value
    const argument = objectId === undefined ? { unserializableValue } : { objectId }
    Object.defineProperty(globalThis, slot, { value: this.take, configurable: true })
    try {
      const functionDeclaration = `(value) => globalThis[Symbol.for('warmcell.breakable')](value)`
      this.session.post('Runtime.evaluate', { expression: 'globalThis', objectGroup: 'run' }, (_, { result }) => {
        this.session.post('Runtime.callFunctionOn', { functionDeclaration, objectId: result.objectId, arguments: [argument] })
      })
      return this.taken
    } finally {
      this.taken = undefined
      delete globalThis[slot]
    }
  }
}

/** What begins and ends with braces is an object where it can be one, as in consoles. */
function asExpression(source) {
  if (!/^\s*\{[\s\S]*\}\s*$/.test(source)) return source
  try {
    new vm.Script(`(${source}\n)`)
    return `(${source}\n)`
  } catch {
    return source
  }
}

/** { name, message, traceback } of whatever was thrown; undefined for an exit that is no failure. */
function describeError(error) {
  if (error instanceof Interrupted) return { name: error.name, message: error.message, traceback: error.stack }
  const { thrown, details, source, label } = error
  if (thrown instanceof Exit) {
    if (!thrown.code) return undefined
    return { name: 'Exit', message: String(thrown.code), traceback: '' }
  }
  if (!types.isNativeError(thrown)) {
    const text = inspect(thrown, { depth: 4 })
    return { name: 'Error', message: text, traceback: `Uncaught ${text}\n` }
  }
  const { name, message } = thrown
  const stack = trimmed(String(thrown.stack ?? `${name}: ${message}`))
  const place = stack.includes('\n    at ') ? '' : placeOf(details, source, label)
  const cause = thrown.cause === undefined ? '' : `\n  [cause]: ${inspect(thrown.cause, { depth: 2 })}`
  return { name: String(name), message: String(message), traceback: `${place}${stack}${cause}\n` }
}

/** Without the driver's own frames, which are below all others. */
function trimmed(stack) {
  const lines = stack.split('\n')
  const ours = lines.findIndex(
    (line) => /^ {4}at .*(\(node:inspector|Session\.post|warmcell:1:1)/.test(line) || line.includes(__dirname),
  )
  return (ours === -1 ? lines : lines.slice(0, ours)).join('\n')
}

/** Of code that is none: the line, and where in it. */
function placeOf({ lineNumber, columnNumber } = {}, source = '', label = '') {
  const line = source.split('\n')[lineNumber]
  return line === undefined
    ? ''
    : `${label}:${lineNumber + 1}\n${line.slice(0, 200)}\n${' '.repeat(Math.min(columnNumber, 200))}^\n\n`
}

module.exports = { describeError, Evaluator, Exit, trimmed }
