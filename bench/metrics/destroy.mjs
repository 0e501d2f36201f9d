// T8: destroy(), until nothing is left.
import { isRunning, qemuPids } from '../processes.mjs'
import { elapsedMs, takeTurns } from '../turns.mjs'
import { exercise, quiet, template, withPools } from '../warmcell.mjs'
import { runTurns } from './contender-turns.mjs'

export const destroy = {
  id: 'T8',
  title: 'destroy() until nothing is left',
  how: 'of a sandbox that has run a command; it counts as failed when no QEMU process has ended by the time that destroy() resolves',
  measure: ({ plan, flavours, contenders }) =>
    withPools(flavours, {}, async (pools) => {
      const turns = [...pools.map(destroyTurn), ...runTurns(contenders.of('spawn'), plan)]
      return { series: await takeTurns(turns, { rounds: plan.rounds, uncounted: 1 }) }
    }),
}

function destroyTurn({ subject, pool }) {
  return {
    subject,
    async run() {
      const sandbox = await pool.createSandbox({ template })
      try {
        await exercise(sandbox, 1)
        await quiet(pool)
        const before = qemuPids()
        if (before.length === 0) throw new Error('no QEMU process is to be seen: nothing can be said of its end')
        const ms = await elapsedMs(() => sandbox.destroy())
        if (before.every(isRunning)) throw new Error('destroy() resolved, and every QEMU process from before is still there')
        return { destroy: ms }
      } finally {
        await sandbox.destroy()
      }
    },
  }
}
