/** What is to happen when a signal that many calls may share fires. */

type Act = () => void

/** One listener on a signal, and what it calls. */
interface Ear {
  readonly acts: Set<Act>
  readonly close: () => void
}

const ears = new WeakMap<AbortSignal, Ear>()

/**
 * Calls `act`, which must not throw, when the signal fires; returns what undoes that. However many ask, one listener is on the signal: from the eleventh on, Node
 * would warn the caller of a leak that is none.
 */
export function onAbort(signal: AbortSignal, act: Act): () => void {
  const ear = ears.get(signal) ?? listen(signal)
  const mine: Act = () => act()
  ear.acts.add(mine)
  return () => {
    if (ear.acts.delete(mine) && ear.acts.size === 0) ear.close()
  }
}

function listen(signal: AbortSignal): Ear {
  const acts = new Set<Act>()
  const close = (): void => {
    ears.delete(signal)
    signal.removeEventListener('abort', tell)
  }
  const tell = (): void => {
    ears.delete(signal)
    for (const act of acts) {
      acts.delete(act)
      act()
    }
  }
  const ear = { acts, close }
  ears.set(signal, ear)
  signal.addEventListener('abort', tell, { once: true })
  return ear
}
