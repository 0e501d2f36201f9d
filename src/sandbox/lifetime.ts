/** When a sandbox ends by itself: its lifetime, and its time without activity. */

import { startTimer } from '../common/timer.ts'

export interface LifetimeOptions {
  /** From creation, in milliseconds. */
  readonly timeoutMs?: number
  /** Without activity, in milliseconds: what that is, docs/lifecycle.md says. */
  readonly idleTimeoutMs?: number
}

/** Two timers on the monotonic clock: a jump of the wall clock moves neither. */
export class Lifetime {
  readonly #idleTimeoutMs: number | undefined
  readonly #onEnd: (reason: 'timeout' | 'idle') => void
  #expiry: { at: number; cancel: () => void } | undefined
  #cancelIdle: (() => void) | undefined
  #busy = 0
  #activeAt = 0
  #stopped = false

  constructor(options: LifetimeOptions, onEnd: (reason: 'timeout' | 'idle') => void) {
    this.#idleTimeoutMs = options.idleTimeoutMs
    this.#onEnd = onEnd
    if (options.timeoutMs !== undefined) this.#expire(options.timeoutMs)
    this.touch()
    this.#armIdle()
  }

  /** When the lifetime ends, by today's wall clock; undefined without one. */
  get expiresAt(): Date | undefined {
    return this.#expiry && new Date(Date.now() + this.#expiry.at - performance.now())
  }

  /** Ends the lifetime `ms` from now, whatever was left of it. Whoever wants it to go on has use for it: that is activity. */
  extend(ms: number): Date {
    this.touch()
    this.#expire(ms)
    return new Date(Date.now() + ms)
  }

  /** Something runs from now until the returned function is called. */
  enter(): () => void {
    this.#busy++
    let left = false
    return () => {
      if (left) return
      left = true
      this.#busy--
      this.touch()
      this.#armIdle()
    }
  }

  /** Something has just happened. For every piece of data there is: the timer is left as it is, and looks at the time when it fires. */
  touch(): void {
    this.#activeAt = performance.now()
  }

  stop(): void {
    this.#stopped = true
    this.#expiry?.cancel()
    this.#cancelIdle?.()
  }

  #expire(ms: number): void {
    this.#expiry?.cancel()
    this.#expiry = { at: performance.now() + ms, cancel: startTimer(ms, () => this.#onEnd('timeout')) }
  }

  /** One timer at most. While something runs it may fire once, and is then set again by whoever leaves last. */
  #armIdle(): void {
    if (this.#idleTimeoutMs === undefined || this.#busy > 0 || this.#stopped || this.#cancelIdle !== undefined) return
    const leftMs = this.#activeAt + this.#idleTimeoutMs - performance.now()
    this.#cancelIdle = startTimer(Math.max(0, leftMs), () => this.#onIdleTimer(this.#idleTimeoutMs ?? 0))
  }

  #onIdleTimer(idleTimeoutMs: number): void {
    this.#cancelIdle = undefined
    if (this.#busy > 0 || this.#stopped) return
    if (performance.now() - this.#activeAt < idleTimeoutMs) this.#armIdle()
    else this.#onEnd('idle')
  }
}
