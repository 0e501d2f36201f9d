/** What clients that expect a socket of node:net ask of their stream beside a Duplex's own: HTTP agents, WebSocket clients. */

import { Duplex } from 'node:stream'
import { startTimer } from '../../common/timer.ts'

export abstract class SocketLike extends Duplex {
  #idle: { ms: number; cancel: () => void } | undefined
  #activeAt = 0

  /** Set by `setTimeout`, in milliseconds. */
  get timeout(): number | undefined {
    return this.#idle?.ms
  }

  /** Announces 'timeout', and does no more, when nothing has passed for that long; 0 ends that. */
  setTimeout(ms: number, listener?: () => void): this {
    this.#idle?.cancel()
    this.#idle = undefined
    if (listener !== undefined) this[ms === 0 ? 'off' : 'once']('timeout', listener)
    if (ms > 0 && !this.destroyed) this.#arm(ms, ms)
    return this
  }

  /** Small writes leave at once as it is. */
  setNoDelay(): this {
    return this
  }

  /** Its two ends cannot lose sight of each other. */
  setKeepAlive(): this {
    return this
  }

  /** What keeps this process alive is the sandbox. */
  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  /** Something passed. */
  protected passed(): void {
    this.#activeAt = performance.now()
  }

  protected stopTimeout(): void {
    this.#idle?.cancel()
    this.#idle = undefined
  }

  /** One timer, not one for each piece: when it fires, it looks how long ago the last one was. */
  #arm(ms: number, leftMs: number): void {
    if (leftMs === ms) this.passed()
    const onTimer = (): void => {
      const left = this.#activeAt + ms - performance.now()
      this.#arm(ms, left > 0 ? left : ms)
      if (left <= 0) this.emit('timeout')
    }
    this.#idle = { ms, cancel: startTimer(leftMs, onTimer) }
  }
}
