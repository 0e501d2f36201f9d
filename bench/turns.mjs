// Rounds in which everybody takes a turn: the one place where samples are taken, and failures counted.
import { rotate, summarize } from './statistics.mjs'

/** Failures of one subject in one row after which it is out: once may be chance, three times is a finding. */
const failuresMax = 3

/** No single turn takes longer unless it hangs. */
const turnDeadlineMs = 120_000

/**
 * @typedef {object} Turn
 * @property {string} subject Who runs: `warmcell`, or a contender's name.
 * @property {() => Promise<Record<string, number>>} run One sample of each measure.
 * @property {() => Promise<void>} [settle] Waits, untimed, until this turn's after-effects cannot slow the next one.
 * @property {number} [everyRounds] Only in every nth round, for those that take very long.
 * @property {(reason: string) => void} [drop] Told when this subject has failed too often.
 */

/**
 * Every turn once per round, in rotating order.
 *
 * @param {Turn[]} turns
 * @param {{ rounds: number, uncounted?: number, units?: Record<string, string>, better?: Record<string, 'lower' | 'higher'> }} how `uncounted`
 *   rounds come first, in which caches fill and the code of this process gets compiled: failures count in them, times do not. The rest is per
 *   measure: milliseconds, and lower is better, by default.
 */
export async function takeTurns(turns, { rounds, uncounted = 0, units = {}, better = {} }) {
  const books = new Map(turns.map((turn) => [turn, { values: {}, failures: [] }]))
  for (let round = -uncounted; round < rounds; round++) {
    for (const turn of rotate(turns, round + uncounted)) {
      const book = books.get(turn)
      if (book.failures.length >= failuresMax || round % (turn.everyRounds ?? 1) !== 0) continue
      try {
        const sample = await withDeadline(turn.run(), turn.subject)
        for (const [measure, value] of round < 0 ? [] : Object.entries(sample)) {
          book.values[measure] ??= []
          book.values[measure].push(value)
        }
        await withDeadline(turn.settle?.(), turn.subject)
      } catch (error) {
        book.failures.push(error.message)
        if (book.failures.length === failuresMax) turn.drop?.(error.message)
      }
    }
  }
  return [...books].flatMap(([turn, book]) => seriesOf(turn.subject, book, units, better))
}

function seriesOf(subject, { values, failures }, units, better) {
  const measures = Object.keys(values)
  if (measures.length === 0) measures.push('none')
  return measures.map((measure) => series(subject, measure, values[measure] ?? [], units[measure], better[measure], failures))
}

/** A subject's samples of one measure, summed up. */
export function series(subject, measure, values, unit = 'ms', better = 'lower', failures = []) {
  return {
    subject,
    measure,
    unit,
    better,
    quantiles: summarize(values, better),
    failures: failures.length,
    failureReasons: failures,
  }
}

export async function elapsedMs(work) {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

async function withDeadline(work, subject) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${subject} has not ended within ${turnDeadlineMs / 1_000} s`)), turnDeadlineMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
