/** When a sandbox ends by itself: its lifetime, and its time without activity. */

import { startTimer } from '../common/timer.ts'

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
  #expiry: { at: number; cancel: () => void } | undefined
  #cancelIdle: (() => void) | undefined
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
    this.#expiry?.cancel()
    this.#expiry = { at: performance.now() + ms, cancel: startTimer(ms, () => this.#onEnd('timeout')) }
    return new Date(Date.now() + ms)
  }

  /** Something runs from now until the returned function is called. */
  enter(): () => void {
    this.#busy++
    this.#cancelIdle?.()
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
    this.#expiry?.cancel()
    this.#cancelIdle?.()
  }

  #armIdle(): void {
    if (this.#idleTimeoutMs === undefined || this.#busy > 0 || this.#stopped) return
    this.#cancelIdle = startTimer(this.#idleTimeoutMs, () => this.#onEnd('idle'))
  }
}
