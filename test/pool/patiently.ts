/** Waiting for something to become so: for as long as a busy machine may need, and no longer than it takes. */

import { expect } from 'vitest'

/** As `expect.poll`, whose own limit is one second. */
export function patiently<T>(look: () => T): ReturnType<typeof expect.poll<T>> {
  return expect.poll(look, { timeout: 10_000, interval: 5 })
}
