// What has been served, and how: cold and warm apart.
import { createHistogram } from 'node:perf_hooks'

export class Counters {
  cold = 0
  warm = 0
  failed = 0
  timedOut = 0
  /** In microseconds, as histograms take whole numbers. */
  #times = { cold: createHistogram(), warm: createHistogram() }

  note(start, { ok, timedOut }, ms) {
    this[start]++
    if (timedOut) this.timedOut++
    else if (!ok) this.failed++
    this.#times[start].record(Math.max(1, Math.round(ms * 1_000)))
  }

  toJSON() {
    const { cold, warm, failed, timedOut } = this
    return { cold, warm, failed, timedOut, coldMs: quantiles(this.#times.cold), warmMs: quantiles(this.#times.warm) }
  }
}

function quantiles(histogram) {
  if (histogram.count === 0) return null
  const at = (percent) => Math.round(histogram.percentile(percent) / 100) / 10
  return { p50: at(50), p95: at(95), p99: at(99) }
}
