/** Typed events that only their owner can announce. */

import { EventEmitter } from 'eventemitter3'

/** Events by name, each with the arguments its listeners get. */
type EventMap<Events> = { [K in keyof Events]: unknown[] }

export class Emitter<Events extends EventMap<Events>> {
  readonly #listeners = new EventEmitter()

  on<K extends keyof Events & string>(event: K, listener: (...args: Events[K]) => void): this {
    this.#listeners.on(event, listener as (...args: unknown[]) => void)
    return this
  }

  off<K extends keyof Events & string>(event: K, listener: (...args: Events[K]) => void): this {
    this.#listeners.off(event, listener as (...args: unknown[]) => void)
    return this
  }

  once<K extends keyof Events & string>(event: K, listener: (...args: Events[K]) => void): this {
    this.#listeners.once(event, listener as (...args: unknown[]) => void)
    return this
  }

  /** A listener that throws is its owner's bug: it surfaces as an uncaught exception, and nothing here stops for it. */
  protected announce<K extends keyof Events & string>(event: K, ...args: Events[K]): void {
    try {
      this.#listeners.emit(event, ...args)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }
}
