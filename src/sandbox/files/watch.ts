/** The changes below one path of a guest, for as long as somebody looks. */

import type { OpenWatch } from '../../agent/index.ts'
import { linkedSignal } from '../../common/linked-signal.ts'
import type { FileEvent } from './contract.ts'

const types = ['create', 'write', 'remove', 'rename', 'overflow'] as const

export interface WatchParts {
  /** Turns the watch on; the signal gives that up. */
  readonly open: (signal: AbortSignal) => Promise<OpenWatch>
  /** The failure of a watch that was on, in the caller's words. */
  readonly explain: (error: unknown) => Promise<unknown>
  readonly signal: AbortSignal | undefined
}

/** Each iteration is a watch of its own, which its first `next` turns on. */
export function watching(parts: WatchParts): AsyncIterable<FileEvent> {
  return { [Symbol.asyncIterator]: () => new Watching(parts) }
}

type State = { readonly tag: 'new' } | { readonly tag: 'on'; readonly watch: Promise<OpenWatch> } | { readonly tag: 'ended' }

class Watching implements AsyncIterator<FileEvent> {
  readonly #parts: WatchParts
  readonly #left = new AbortController()
  #state: State = { tag: 'new' }
  #line: Promise<unknown> = Promise.resolve()

  constructor(parts: WatchParts) {
    this.#parts = parts
  }

  /** Calls made at once are answered in order. */
  next(): Promise<IteratorResult<FileEvent>> {
    const turn = this.#line.then(() => this.#next())
    this.#line = turn.catch(() => {})
    return turn
  }

  /** Ends it at once, also while a `next` waits: that one then hears of the end. */
  async return(): Promise<IteratorResult<FileEvent>> {
    const state = this.#state
    this.#state = { tag: 'ended' }
    this.#left.abort()
    if (state.tag === 'on') await state.watch.then((watch) => watch.close()).catch(() => {})
    return { done: true, value: undefined }
  }

  async #next(): Promise<IteratorResult<FileEvent>> {
    const { signal } = this.#parts
    if (this.#state.tag === 'ended') return { done: true, value: undefined }
    const { signal: given, unlink } = linkedSignal([signal, this.#left.signal])
    try {
      if (this.#state.tag === 'new') this.#state = { tag: 'on', watch: this.#parts.open(given) }
      const watch = await this.#state.watch
      const close = (): void => watch.close()
      given.addEventListener('abort', close, { once: true })
      if (given.aborted) close()
      const changed = await watch.next()
      if (changed === undefined) this.#state = { tag: 'ended' }
      if (changed === undefined) return { done: true, value: undefined }
      const { change, path, from } = changed
      return { done: false, value: { type: types[change - 1] ?? 'overflow', path, ...(from !== undefined && { from }) } }
    } catch (error) {
      this.#state = { tag: 'ended' }
      if (signal?.aborted === true) throw signal.reason
      if (this.#left.signal.aborted) return { done: true, value: undefined }
      throw await this.#parts.explain(error)
    } finally {
      unlink()
    }
  }
}
