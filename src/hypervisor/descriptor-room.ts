/** Whether this process may open as many descriptors as the start of a child takes. */

import { closeSync, openSync } from 'node:fs'

/**
 * Node leaves the pipes of a child open for ever when the descriptors run out in the middle of its start: lib/internal/child_process.js returns at EMFILE before it has made
 * streams of them, so that nobody can close them. To be called at once before `spawn`, which then does not meet that end: nothing else of this thread runs between.
 *
 * @throws `EMFILE`, `ENFILE`
 */
export function assertDescriptorsFor(stdio: readonly unknown[]): void {
  const opened: number[] = []
  try {
    for (let left = descriptorsFor(stdio); left > 0; left--) opened.push(openSync('/dev/null', 'r'))
  } finally {
    for (const descriptor of opened) closeSync(descriptor)
  }
}

/** Two ends for each pipe, and two of the pipe through which libuv hears whether the program was found (src/unix/process.c). */
function descriptorsFor(stdio: readonly unknown[]): number {
  return 2 * (stdio.filter((item) => item === 'pipe').length + 1)
}
