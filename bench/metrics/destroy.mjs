// T8: destroy(), until nothing is left.
import { isRunning, qemuPids } from '../processes.mjs'
import { elapsedMs, takeTurns } from '../turns.mjs'
import { exercise, quiet, template, withPools } from '../warmcell.mjs'
import { runTurns } from './contender-turns.mjs'

export const destroy = {
  id: 'T8',
  title: 'destroy() until nothing is left',
  how: 'of a sandbox that has run a command; it counts as failed when a QEMU process that came with the sandbox is still there after destroy() resolved',
  measure: ({ plan, flavours, contenders }) =>
    withPools(flavours, {}, async (pools) => {
      const turns = [...pools.map(destroyTurn), ...runTurns(contenders.of('spawn'), plan)]
      return { series: await takeTurns(turns, { rounds: plan.rounds }) }
    }),
}

function destroyTurn({ subject, pool }) {
  return {
    subject,
    async run() {
      const before = new Set(qemuPids())
      const sandbox = await pool.createSandbox({ template })
      try {
        await exercise(sandbox, 1)
        await quiet(pool)
        const its = qemuPids().filter((pid) => !before.has(pid))
        const ms = await elapsedMs(() => sandbox.destroy())
        if (its.length > 0 && its.every(isRunning)) throw new Error(`process ${its.join(', ')} outlived destroy()`)
        return { destroy: ms }
      } finally {
        await sandbox.destroy()
      }
    },
  }
}
