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
      return { series: await takeTurns(turns, { rounds: plan.rounds }) }
    }),
}

/** What `info().origin` says of how a sandbox was made, in the words of the measures. */
const ways = { clone: 'cloned', boot: 'booted', warm: 'warm' }

function coldTurn({ subject, pool }) {
  return {
    subject,
    async run() {
      let sandbox
      const created = await elapsedMs(async () => {
        sandbox = await pool.createSandbox({ template })
      })
      try {
        const exec = await elapsedMs(() => mustSucceed(sandbox.exec(['echo', 'hello'])))
        const way = ways[sandbox.info().origin] ?? sandbox.info().origin
        return { [`create + exec, ${way}`]: created + exec, [`created and ready, ${way}`]: created, [`first exec, ${way}`]: exec }
      } finally {
        await sandbox.destroy()
      }
    },
    settle: () => quiet(pool),
  }
}
