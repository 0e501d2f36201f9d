/** How a pool is doing: its numbers, and the errors that carry them. */

import { WarmcellError } from '../errors.ts'
import type { FailureReason } from './maker.ts'

export interface Quantiles {
  /** How many there have been in all; the quantiles are of the last 1,024. */
  count: number
  p50: number
  p95: number
  p99: number
}

/** What the pool has of one template. */
export interface TemplateStats {
  /** Ready and waiting for a tenant. */
  warm: number
  /** Processes that wait to become a clone. */
  parked: number
  /** MicroVMs in the making. */
  booting: number
  /** Given to a tenant and not yet destroyed. */
  assigned: number
  /** Creates in line. */
  waiting: number
}

export interface PoolStats extends TemplateStats {
  /** Creates served from warm stock, and those that were not. */
  hits: number
  misses: number
  /** Makings that failed, of microVMs and of templates. */
  bootFailures: number
  /** What was lost, by the step at which it was: docs/pool.md names them. */
  failures: Partial<Record<FailureReason, number>>
  /** From the call to the sandbox, in milliseconds. */
  createMs: Quantiles
  /** A sandbox's first exec, from the call to its result, in milliseconds. */
  firstExecMs: Quantiles
  byTemplate: Record<string, TemplateStats>
  byTenant: Record<string, { assigned: number; waiting: number; rejected: number }>
}

/** There is no microVM for a create: nothing is warm, or the budget has no room, and it would not or could not wait longer. */
export class PoolExhaustedError extends WarmcellError {
  readonly stats: PoolStats

  constructor(message: string, stats: PoolStats) {
    super('POOL_EXHAUSTED', message, {
      hint: 'Destroy sandboxes that are done, try again later, or raise the budget or the warm target.',
    })
    this.stats = stats
  }
}

/** How many of the latest durations the quantiles are of: enough for a steady p99, small enough to sort at each look. */
const samplesMax = 1_024

/** Quantiles over a sliding window of samples, by the nearest-rank method. */
export class Sample {
  readonly #values: number[] = []
  #count = 0

  add(value: number): void {
    this.#values[this.#count++ % samplesMax] = value
  }

  quantiles(): Quantiles {
    const sorted = [...this.#values].sort((a, b) => a - b)
    const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
    return { count: this.#count, p50: at(0.5), p95: at(0.95), p99: at(0.99) }
  }
}
