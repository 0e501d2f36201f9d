/** How much memory this host can still give. */

import { readFileSync } from 'node:fs'
import { freemem } from 'node:os'

/** MemAvailable on Linux (what can be had without swapping), free memory elsewhere, in MiB. */
export function availableMemoryMib(): number {
  try {
    const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]
    if (kib !== undefined) return Math.floor(Number(kib) / 1_024)
  } catch {
    // Not Linux.
  }
  return Math.floor(freemem() / 1_048_576)
}
