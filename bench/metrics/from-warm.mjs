// T1: a sandbox from warm stock and its first command, against everything else that could have run it.
import { elapsedMs, takeTurns } from '../turns.mjs'
import { mustSucceed, refilled, template, withPools } from '../warmcell.mjs'
import { runTurns } from './contender-turns.mjs'

export const fromWarm = {
  id: 'T1',
  title: "createSandbox() from warm stock + exec(['true'])",
  how: 'one at a time; the stock is full again before the next contender starts',
  measure: ({ plan, flavours, contenders }) =>
    withPools(flavours, { warm: plan.burst }, async (pools) => {
      const turns = [...pools.map(warmTurn), ...runTurns(contenders.of('spawn', 'bwrap', 'crun', 'runc', 'podman'), plan)]
      return { series: await takeTurns(turns, { rounds: plan.shortRounds, uncounted: 3 }) }
    }),
}

/** createSandbox resolves when the sandbox is ready: *created* and *ready* are one moment. */
export function warmTurn({ subject, pool }) {
  return {
    subject,
    async run() {
      let sandbox
      const created = await elapsedMs(async () => {
        sandbox = await pool.createSandbox({ template })
      })
      try {
        const exec = await elapsedMs(() => mustSucceed(sandbox.exec(['true'])))
        const { origin } = sandbox.info()
        if (origin !== 'warm') throw new Error(`the sandbox came from '${origin}' although the stock was full`)
        const removed = await elapsedMs(() => sandbox.destroy())
        return {
          'create + exec': created + exec,
          'created and ready': created,
          'first exec': exec,
          'create + exec + destroy': created + exec + removed,
        }
      } finally {
        await sandbox.destroy()
      }
    },
    settle: () => refilled(pool),
  }
}
