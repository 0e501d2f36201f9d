// T4: many at once from warm stock.
import { elapsedMs, takeTurns } from '../turns.mjs'
import { mustSucceed, refilled, template, withPools } from '../warmcell.mjs'
import { burstTurns } from './contender-turns.mjs'

export const burst = {
  id: 'T4',
  title: '16 at once from warm stock',
  how: 'until the last of 16 has answered `true`; removal is reported beside it, and is part of what the contenders do',
  measure: ({ plan, flavours, contenders }) =>
    withPools(flavours, { warm: plan.burst }, async (pools) => {
      const turns = [
        ...pools.map((one) => warmBurst(one, plan.burst)),
        ...burstTurns(contenders.of('spawn', 'bwrap', 'crun', 'runc', 'podman'), plan),
      ]
      return { series: await takeTurns(turns, { rounds: plan.rounds, uncounted: 1 }) }
    }),
}

function warmBurst({ subject, pool }, count) {
  return {
    subject,
    async run() {
      const sandboxes = []
      const one = async () => {
        const sandbox = await pool.createSandbox({ template })
        sandboxes.push(sandbox)
        await mustSucceed(sandbox.exec(['true']))
      }
      const outcomes = []
      const answered = await elapsedMs(async () => {
        outcomes.push(...(await Promise.allSettled(Array.from({ length: count }, one))))
      })
      const removed = await elapsedMs(() => Promise.all(sandboxes.map((sandbox) => sandbox.destroy())))
      const failed = outcomes.filter(({ status }) => status === 'rejected')
      if (failed.length > 0) throw new Error(`${failed.length} of ${count} at once failed: ${failed[0].reason.message}`)
      return { 'create + exec, all': answered, 'create + exec + destroy, all': answered + removed }
    },
    settle: () => refilled(pool),
  }
}
