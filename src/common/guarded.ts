/** Calling what belongs to somebody else. */

/** A listener that throws is its owner's bug: it surfaces as an uncaught exception, and what told it goes on. */
export function guarded(call: () => void): void {
  try {
    call()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
