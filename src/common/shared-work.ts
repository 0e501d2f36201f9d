/** Work that many callers want at once is done once, for as long as somebody wants it. */

import { guarded } from './guarded.ts'
import { onAbort } from './on-abort.ts'

/** Begins the work; its signal fires when nobody wants it any more. */
type Begin<T, E> = (signal: AbortSignal, announce: (event: E) => void) => Promise<T>

interface Run<T, E> {
  readonly result: Promise<T>
  readonly unwanted: AbortController
  readonly listeners: Set<(event: E) => void>
  wanted: number
}

export class SharedWork<T, E = never> {
  readonly #runs = new Map<string, Run<T, E>>()

  /**
   * The result of the work under a key: of what is under way, or of what begins now. A caller who gives up leaves the others alone; the last one to give up ends the
   * work, and hears of it when nothing of it is left.
   *
   * @throws what the work throws; the signal's reason.
   */
  async join(
    key: string,
    { signal, onEvent }: { signal?: AbortSignal | undefined; onEvent?: ((event: E) => void) | undefined },
    begin: Begin<T, E>,
  ): Promise<T> {
    for (;;) {
      signal?.throwIfAborted()
      const run = this.#runs.get(key) ?? this.#begin(key, begin)
      if (!run.unwanted.signal.aborted) return this.#follow(run, signal, onEvent)
      // Nobody wanted it, and it is not over: the next begins when nothing of it is left.
      await run.result.catch(() => {})
    }
  }

  async #follow(run: Run<T, E>, signal: AbortSignal | undefined, onEvent: ((event: E) => void) | undefined): Promise<T> {
    const listener = onEvent && ((event: E): void => onEvent(event))
    if (listener) run.listeners.add(listener)
    run.wanted++
    let unlink: (() => void) | undefined
    const givenUp = new Promise<never>((_, reject) => {
      unlink = signal && onAbort(signal, () => reject(signal.reason))
    })
    try {
      return await Promise.race([run.result, givenUp])
    } finally {
      unlink?.()
      if (listener) run.listeners.delete(listener)
      run.wanted--
      if (run.wanted === 0 && signal?.aborted) {
        run.unwanted.abort(signal.reason)
        await run.result.catch(() => {})
      }
    }
  }

  #begin(key: string, begin: Begin<T, E>): Run<T, E> {
    const unwanted = new AbortController()
    const listeners = new Set<(event: E) => void>()
    const announce = (event: E): void => {
      for (const listener of listeners) guarded(() => listener(event))
    }
    const run: Run<T, E> = {
      unwanted,
      listeners,
      wanted: 0,
      // A turn later: whoever began it listens by then.
      result: Promise.resolve()
        .then(() => begin(unwanted.signal, announce))
        .finally(() => this.#runs.delete(key)),
    }
    run.result.catch(() => {})
    this.#runs.set(key, run)
    return run
  }
}
