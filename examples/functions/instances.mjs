// The instances of one deployed function: sandboxes of its tenant that hold the handler, each serving one invocation at a time.
import PQueue from 'p-queue'

/** Where the handler is in an instance. */
const handlerPath = '/srv/function/handler'

/** Kept of what a handler prints, in bytes. */
const outputBytesMax = 1024 * 1024

/** More invocations than this waiting for a turn are refused. */
const waitingMax = 100

/** Its queue is full. */
export class Busy extends Error {}

export class Instances {
  #pool
  #deployment
  #turns
  #idle = []
  #all = new Set()
  #counters
  #retired = false

  /** `deployment` is what was deployed: { tenant, name, version, handler, concurrency, timeoutMs, idleMs }. */
  constructor(pool, deployment, counters) {
    this.#pool = pool
    this.#deployment = deployment
    this.#counters = counters
    this.#turns = new PQueue({ concurrency: deployment.concurrency })
  }

  get size() {
    return this.#all.size
  }

  get waiting() {
    return this.#turns.size
  }

  /** Runs the handler once: in an instance that has served before (warm), or else in a new one (cold). */
  async invoke(event, signal) {
    if (this.#turns.size >= waitingMax) throw new Busy()
    return this.#turns.add(() => this.#serve(event, signal), { signal })
  }

  /** A newer version has taken its place: no new instance, and none is kept. What is under way ends in peace. */
  async retire() {
    this.#retired = true
    await Promise.all(this.#idle.splice(0).map((sandbox) => sandbox.destroy()))
  }

  async #serve(event, signal) {
    const startedAt = performance.now()
    const known = this.#takeIdle()
    const start = known === undefined ? 'cold' : 'warm'
    const sandbox = known ?? (await this.#create(signal))
    let result
    try {
      result = await sandbox.exec([handlerPath], {
        stdin: event.body,
        env: { FUNCTION: this.#deployment.name, METHOD: event.method, QUERY: event.query },
        timeoutMs: this.#deployment.timeoutMs,
        maxBufferBytes: outputBytesMax,
        signal,
      })
    } finally {
      // What was ended from outside may have left anything behind: the next invocation gets a fresh instance.
      const sound = result !== undefined && !result.timedOut && !result.oomKilled
      if (sound && !this.#retired && sandbox.state === 'running') this.#idle.push(sandbox)
      else await sandbox.destroy()
    }
    const ms = performance.now() - startedAt
    this.#counters.note(start, result, ms)
    return { start, ms, result }
  }

  /** The one used last: those that are not needed grow old, and end. */
  #takeIdle() {
    for (let sandbox = this.#idle.pop(); sandbox !== undefined; sandbox = this.#idle.pop())
      if (sandbox.state === 'running') return sandbox
  }

  async #create(signal) {
    const { tenant, name, version, handler, idleMs } = this.#deployment
    const sandbox = await this.#pool.createSandbox({ tenant, metadata: { name, version }, idleTimeoutMs: idleMs, signal })
    try {
      await sandbox.files.write(handlerPath, handler, { mode: 0o755, signal })
    } catch (error) {
      await sandbox.destroy()
      throw error
    }
    this.#all.add(sandbox)
    // It ends by itself when it was idle for too long: nothing to keep then.
    sandbox.once('state', () => {
      this.#all.delete(sandbox)
      this.#idle = this.#idle.filter((one) => one !== sandbox)
    })
    return sandbox
  }
}
