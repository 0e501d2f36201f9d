/** When a sandbox ends by itself: its lifetime, and its time without activity. */

import { timerMsMax } from '../common/deadline.ts'

export interface LifetimeOptions {
  /** From creation, in milliseconds. */
  readonly timeoutMs?: number
  /** Without a running process, in milliseconds. */
  readonly idleTimeoutMs?: number
}

/** Two timers on the monotonic clock: a jump of the wall clock moves neither. */
export class Lifetime {
  readonly #idleTimeoutMs: number | undefined
  readonly #onEnd: (reason: 'timeout' | 'idle') => void
  #expiry: { at: number; timer: NodeJS.Timeout } | undefined
  #idle: NodeJS.Timeout | undefined
  #busy = 0
  #stopped = false

  constructor(options: LifetimeOptions, onEnd: (reason: 'timeout' | 'idle') => void) {
    this.#idleTimeoutMs = options.idleTimeoutMs
    this.#onEnd = onEnd
    if (options.timeoutMs !== undefined) this.extend(options.timeoutMs)
    this.#armIdle()
  }

  /** When the lifetime ends, by today's wall clock; undefined without one. */
  get expiresAt(): Date | undefined {
    return this.#expiry && new Date(Date.now() + this.#expiry.at - performance.now())
  }

  /** Ends the lifetime `ms` from now, whatever was left of it. */
  extend(ms: number): Date {
    clearTimeout(this.#expiry?.timer)
    const at = performance.now() + ms
    this.#expiry = { at, timer: this.#timer(at) }
    return new Date(Date.now() + ms)
  }

  /** Something runs from now until the returned function is called. */
  enter(): () => void {
    this.#busy++
    clearTimeout(this.#idle)
    let left = false
    return () => {
      if (left) return
      left = true
      this.#busy--
      this.#armIdle()
    }
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#expiry?.timer)
    clearTimeout(this.#idle)
  }

  /** Node's timers hold at most 2³¹ − 1 ms: a longer one is set again when it fires. */
  #timer(at: number): NodeJS.Timeout {
    return setTimeout(
      () => {
        if (performance.now() >= at) this.#onEnd('timeout')
        else this.#expiry = { at, timer: this.#timer(at) }
      },
      Math.min(Math.max(0, at - performance.now()), timerMsMax),
    )
  }

  #armIdle(): void {
    if (this.#idleTimeoutMs === undefined || this.#busy > 0 || this.#stopped) return
    this.#idle = setTimeout(() => this.#onEnd('idle'), Math.min(this.#idleTimeoutMs, timerMsMax))
  }
}
