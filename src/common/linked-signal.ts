/** One signal that follows several, for as long as somebody is interested. */

import { onAbort } from './on-abort.ts'

/**
 * A signal that fires with the first of `sources`, and what unlinks it from them. (AbortSignal.any of Node 20 leaves a little behind in a source that
 * outlives it, at every call: a pool's own signal lives for ever.)
 */
export function linkedSignal(sources: readonly (AbortSignal | undefined)[]): { signal: AbortSignal; unlink: () => void } {
  const controller = new AbortController()
  const links = sources.flatMap((source) => {
    if (source === undefined) return []
    const follow = (): void => controller.abort(source.reason)
    if (source.aborted) follow()
    return [onAbort(source, follow)]
  })
  return {
    signal: controller.signal,
    unlink: () => {
      for (const undo of links) undo()
    },
  }
}
