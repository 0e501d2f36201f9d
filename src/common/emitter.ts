/** Typed events that only their owner can announce. */

import { EventEmitter } from 'eventemitter3'
import { guarded } from './guarded.ts'

/** Events by name, each with the arguments its listeners get. */
type EventMap<Events> = { [K in keyof Events]: unknown[] }

type Listener = (...args: unknown[]) => void

export class Emitter<Events extends EventMap<Events>> {
  readonly #listeners = new EventEmitter()
  /** Each listener in its guard; the same one always in the same, so that it can be taken off again. */
  readonly #guards = new WeakMap<object, Listener>()

  on<K extends keyof Events & string>(event: K, listener: (...args: Events[K]) => void): this {
    this.#listeners.on(event, this.#guarded(listener))
    return this
  }

  off<K extends keyof Events & string>(event: K, listener: (...args: Events[K]) => void): this {
    this.#listeners.off(event, this.#guarded(listener))
    return this
  }

  once<K extends keyof Events & string>(event: K, listener: (...args: Events[K]) => void): this {
    this.#listeners.once(event, this.#guarded(listener))
    return this
  }

  protected announce<K extends keyof Events & string>(event: K, ...args: Events[K]): void {
    this.#listeners.emit(event, ...args)
  }

  /** Nobody goes without an event for what somebody else's listener does. */
  #guarded<K extends keyof Events>(listener: (...args: Events[K]) => void): Listener {
    const known = this.#guards.get(listener)
    if (known !== undefined) return known
    const guard: Listener = (...args) => guarded(() => listener(...(args as Events[K])))
    this.#guards.set(listener, guard)
    return guard
  }
}
