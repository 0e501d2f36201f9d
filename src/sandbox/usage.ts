/** What a guest measures, in the units of the public API: pure. */

import type { Measured } from '../agent/index.ts'
import type { SandboxUsage } from './contract.ts'

export function usageOf(measured: Measured, uptimeMs: number): SandboxUsage {
  const { cpuUs, memoryBytes, memoryMaxBytes, diskBytes, diskMaxBytes, processes, oomKills } = measured
  return {
    cpuMs: cpuUs / 1_000,
    memoryBytes,
    memoryLimitBytes: memoryMaxBytes,
    diskBytes,
    diskLimitBytes: diskMaxBytes,
    processes,
    oomKills,
    uptimeMs,
  }
}
