// The command line of the suite: what may be said, and what it means. Pure.
import { parseArgs } from 'node:util'

export const usage = `npm run bench -- [options]

Measures warmcell beside what else could run a program apart: spawn, bwrap, crun, runc, podman. Contenders take turns in every round.

  --quick              about two minutes: fewer rounds, smaller bursts
  --rounds N           rounds of every row (20; with --quick 3)
  --only T1,T3         these rows alone
  --kernel NAME        stock or minimal; default: stock, and minimal beside it where its image is built
  --install            first installs the missing contenders from Debian (needs root), then runs
  --out DIR            where latest.json, latest.md and latest.svg go (bench/results)
  --json FILE          where the result goes, instead of DIR/latest.json
  --markdown FILE      where the table goes, instead of DIR/latest.md
  --svg FILE           where the chart goes, instead of DIR/latest.svg
  --help               this text

WARMCELL_ISOLATION is 'emulated' unless it is set. The suite ends with 0 when everything it started has been measured, with 1 when anything
failed. A target that was missed is no failure: figures are a matter of the machine.
`

const kernels = ['stock', 'minimal']

/** @throws an Error that says what is wrong with the command line */
export function parseOptions(argv, rowIds) {
  const { values } = parseArgs({
    args: argv,
    options: {
      quick: { type: 'boolean', default: false },
      install: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string' },
      kernel: { type: 'string' },
      out: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'string' },
      svg: { type: 'string' },
    },
  })
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0))
    throw new Error(`--rounds ${values.rounds}: expected a whole number above 0`)
  if (values.kernel !== undefined && !kernels.includes(values.kernel)) {
    throw new Error(`--kernel ${values.kernel}: expected ${kernels.join(' or ')}`)
  }
  const only = values.only?.split(',').map((id) => id.trim().toUpperCase())
  const unknown = only?.filter((id) => !rowIds.includes(id)) ?? []
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(',')}: expected some of ${rowIds.join(',')}`)
  return {
    ...values,
    rowIds: rowIds.filter((id) => only?.includes(id) ?? true),
    kernels: values.kernel ? [values.kernel] : kernels,
    plan: planOf(values.quick, rounds),
  }
}

/** How much is measured. Samples of quick things are cheap, so a round of them has several; podman is slow, so it joins fewer rounds. */
function planOf(quick, rounds = quick ? 3 : 20) {
  return {
    quick,
    rounds,
    /** Rounds of rows whose turns take milliseconds: enough for a p99 to mean something. */
    shortRounds: rounds * (quick ? 5 : 10),
    /** Rounds of rows whose turns take seconds. */
    longRounds: Math.max(1, Math.ceil(rounds / (quick ? 3 : 2))),
    podmanEveryRounds: quick ? 5 : 4,
    burst: 16,
    streamMib: quick ? 32 : 64,
    cpuExecs: quick ? 100 : 500,
  }
}
