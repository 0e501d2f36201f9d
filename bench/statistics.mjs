// What samples say: quantiles, ratios of medians, and whose turn it is. Pure.

/**
 * By the nearest-rank method: a value that was really measured. Of no values: undefined.
 *
 * @param {'lower' | 'higher'} better Which values are the good ones: of durations and sizes the low, of rates the high. A p95 is always on the bad side.
 */
export function quantile(values, share, better = 'lower') {
  const direction = better === 'lower' ? 1 : -1
  const sorted = [...values].sort((a, b) => direction * (a - b))
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
}

export function summarize(values, better = 'lower') {
  const at = (share) => quantile(values, share, better)
  return { count: values.length, best: at(0), p50: at(0.5), p95: at(0.95), p99: at(0.99), worst: at(1) }
}

/** How many times `theirs` our median is; undefined where either was not measured. */
export function ratio(ours, theirs) {
  if (!ours?.count || !theirs?.count || theirs.p50 === 0) return undefined
  return ours.p50 / theirs.p50
}

/** The tail of a distribution in units of its median. */
export function tail(quantiles) {
  return quantiles?.count && quantiles.p50 !== 0 ? quantiles.p99 / quantiles.p50 : undefined
}

/** The order of a round: whoever was first goes to the end, so that nobody always runs after the same neighbour has warmed the caches. */
export function rotate(list, round) {
  const start = list.length === 0 ? 0 : round % list.length
  return [...list.slice(start), ...list.slice(0, start)]
}

/** Three significant digits, without an exponent: 0.0123, 1.23, 12.3, 1234. */
export function significant(value) {
  if (value === undefined || value === null || !Number.isFinite(value)) return '–'
  if (value === 0) return '0'
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(Math.min(decimals, 6))
}
