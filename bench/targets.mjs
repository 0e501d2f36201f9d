// What the project has promised itself for an emulated machine, and whether a run has reached it. Pure.
import { ratio, tail } from './statistics.mjs'

/**
 * A target names one of our measures and a bound on it: its ratio to a contender's median (`over`), its tail (`tail`: p99 by p50), or its own
 * median. `atMost` or `atLeast` is the bound.
 */
const targets = {
  T1: [
    { measure: 'create + exec', over: 'spawn', atMost: 1.5 },
    { measure: 'create + exec', over: 'bwrap' },
    { measure: 'create + exec', over: 'crun', atMost: 1 / 9 },
    { measure: 'create + exec', over: 'runc', atMost: 1 / 12 },
    { measure: 'create + exec', over: 'podman', atMost: 1 / 100 },
  ],
  T2: [{ measure: 'one call', over: 'spawn', atMost: 0.15 }],
  T3: [
    { measure: 'create + exec, cloned', over: 'runc', atMost: 1 },
    { measure: 'create + exec, parked', over: 'runc', atMost: 0.4 },
  ],
  T4: [
    { measure: 'create + exec, all', over: 'runc', atMost: 0.15 },
    { measure: 'create + exec, all', over: 'podman', atMost: 1 / 60 },
  ],
  T5: [
    { measure: 'made', atLeast: 40 },
    { measure: 'made', over: 'podman', atLeast: 10 },
  ],
  T6: [
    { measure: 'fresh', atMost: 8 },
    { measure: 'exercised', atMost: 14 },
  ],
  T7: [
    { measure: 'stdout', atLeast: 400 },
    { measure: 'stdin', atLeast: 250 },
    { measure: 'host memory, slow reader', atMost: 16 },
  ],
  T8: [{ measure: 'destroy', over: 'spawn', atMost: 1 }],
  T9: [{ measure: 'processor time', atMost: 100 }],
  T10: [{ measure: 'first warm', atMost: 1_500 }],
  T11: [
    { measure: 'idle', tail: true, atMost: 3 },
    { measure: 'oversubscribed', tail: true, atMost: 6 },
  ],
  T12: [
    { measure: 'create + runCode, from warm', atMost: 6 },
    { measure: 'create + runCode, from nothing', atMost: 120 },
    { measure: 'first runCode, from warm', over: 'python3 on the host' },
  ],
}

/** One verdict per target and kind of guest kernel, in the order of the targets. `reached` is null where there is nothing to compare. */
export function judge(id, series) {
  const ours = series.filter(({ subject }) => subject.startsWith('warmcell'))
  return (targets[id] ?? []).flatMap((target) =>
    ours.filter(({ measure }) => measure === target.measure).map((one) => verdict(target, one, series)),
  )
}

function verdict(target, ours, series) {
  const theirs = target.over && series.find(({ subject }) => subject === target.over)
  const value = measured(target, ours, theirs)
  const bounded = target.atMost !== undefined || target.atLeast !== undefined
  const reached =
    value === undefined || !bounded ? null : value <= (target.atMost ?? Infinity) && value >= (target.atLeast ?? -Infinity)
  return {
    ...target,
    subject: ours.subject,
    ours: ours.quantiles,
    theirs: theirs?.quantiles,
    unit: ours.unit,
    value: value ?? null,
    reached,
  }
}

function measured(target, ours, theirs) {
  if (target.over) return ratio(ours.quantiles, theirs?.quantiles)
  if (target.tail) return tail(ours.quantiles)
  return ours.quantiles.count ? ours.quantiles.p50 : undefined
}
