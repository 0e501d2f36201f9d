/** What this process holds of the host's memory. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export const mib = 1_048_576

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Until nothing is left that nobody holds: the second collection waits for what the first still frees on another thread. */
export function collectGarbage(): void {
  collect()
  collect()
}

/** Bytes of objects that somebody holds. */
export function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

/** Bytes of all that somebody holds, objects and buffers. Unlike `growth` it says nothing of what waits to be collected, which is more the busier the machine is. */
export function heldInAllBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Bytes of buffers that somebody holds. */
export function heldBytes(): number {
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}

/** How much more memory the process holds at the worst moment of some work. */
export async function growth(work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage.rss()
  let most = before
  const look = (): void => {
    most = Math.max(most, process.memoryUsage.rss())
  }
  const timer = setInterval(look, 20)
  try {
    await work()
    look()
  } finally {
    clearInterval(timer)
  }
  return most - before
}
