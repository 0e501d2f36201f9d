// T3: nothing is warm: from the call to the first output.
import { elapsedMs, takeTurns } from '../turns.mjs'
import { mustSucceed, quiet, refilled, template, withPools, withSandbox } from '../warmcell.mjs'
import { runTurns } from './contender-turns.mjs'

export const fromNothing = {
  id: 'T3',
  title: 'nothing warm: createSandbox() to the first output',
  how: 'cloned: a pool without warm stock, its template built. parked: from a QEMU process that was started before, in a pool whose warm stock has just been taken. The first output is that of `echo`',
  measure: ({ plan, flavours, contenders }) =>
    withPools(flavours, { warm: 0 }, async (pools) => {
      // Builds the template.
      for (const { pool } of pools) await withSandbox(pool, (sandbox) => sandbox.exec(['true']))
      return withPools(flavours, { warm: 1 }, (parking) => measure(plan, contenders, pools, parking))
    }),
}

/** Only a pool that keeps stock parks processes: its one warm sandbox is taken first, untimed, and the next comes from a parked process. */
async function measure(plan, contenders, pools, parking) {
  const turns = [...pools.map(coldTurn), ...parking.map(parkedTurn), ...runTurns(contenders.of('crun', 'runc', 'podman'), plan)]
  return { series: await takeTurns(turns, { rounds: plan.rounds, uncounted: 1 }) }
}

/** How a sandbox was made, in the words of the measures: `origin` does not tell a clone of a parked process from one that was started for it. */
function wayOf(origin, parked) {
  if (origin === 'clone') return parked ? 'parked' : 'cloned'
  return origin === 'boot' ? 'booted' : origin
}

function coldTurn({ subject, pool }) {
  return { subject, run: () => firstOutput(pool), settle: () => quiet(pool) }
}

function parkedTurn({ subject, pool }) {
  return {
    subject,
    run: () => withSandbox(pool, () => firstOutput(pool)),
    async settle() {
      await refilled(pool)
      const by = performance.now() + 10_000
      while (pool.stats().parked === 0 && performance.now() < by) await new Promise((resolve) => setTimeout(resolve, 5))
    },
  }
}

async function firstOutput(pool) {
  const parked = pool.stats().parked > 0
  let sandbox
  const created = await elapsedMs(async () => {
    sandbox = await pool.createSandbox({ template })
  })
  try {
    const exec = await elapsedMs(() => mustSucceed(sandbox.exec(['echo', 'hello'])))
    const way = wayOf(sandbox.info().origin, parked)
    return { [`create + exec, ${way}`]: created + exec, [`created and ready, ${way}`]: created, [`first exec, ${way}`]: exec }
  } finally {
    await sandbox.destroy()
  }
}
