// T3: nothing is warm: from the call to the first output.
import { elapsedMs, takeTurns } from '../turns.mjs'
import { mustSucceed, quiet, template, withPools, withSandbox } from '../warmcell.mjs'
import { runTurns } from './contender-turns.mjs'

export const fromNothing = {
  id: 'T3',
  title: 'nothing warm: createSandbox() to the first output',
  how: 'a pool without warm stock, its template built; the first output is that of `echo`',
  measure: ({ plan, flavours, contenders }) =>
    withPools(flavours, { warm: 0 }, async (pools) => {
      // Builds the template.
      for (const { pool } of pools) await withSandbox(pool, (sandbox) => sandbox.exec(['true']))
      const turns = [...pools.map(coldTurn), ...runTurns(contenders.of('crun', 'runc', 'podman'), plan)]
      return { series: await takeTurns(turns, { rounds: plan.rounds, uncounted: 1 }) }
    }),
}

/** How a sandbox was made, in the words of the measures: `origin` does not tell a clone of a parked process from one that was started for it. */
function wayOf(origin, parked) {
  if (origin === 'clone') return parked ? 'parked' : 'cloned'
  return origin === 'boot' ? 'booted' : origin
}

function coldTurn({ subject, pool }) {
  return {
    subject,
    async run() {
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
    },
    settle: () => quiet(pool),
  }
}
