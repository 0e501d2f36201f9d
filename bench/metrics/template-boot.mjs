// T10: what a template costs once: its boot, its snapshot and the first warm clone.
import { elapsedMs, takeTurns } from '../turns.mjs'
import { template } from '../warmcell.mjs'

export const templateBoot = {
  id: 'T10',
  title: 'a template, booted once: createPool() to the first warm microVM',
  how: 'with a state directory in which nothing was built before',
  measure: async ({ plan, flavours }) => ({ series: await takeTurns(flavours.map(bootTurn), { rounds: plan.longRounds }) }),
}

function bootTurn(flavour) {
  return {
    subject: flavour.subject,
    async run() {
      const { stateDir, remove } = await flavour.emptyStateDir()
      let pool
      try {
        const ms = await elapsedMs(async () => {
          pool = await flavour.pool({ warm: 1, stateDir })
          await pool.ready({ template, count: 1, timeoutMs: 60_000 })
        })
        return { 'first warm': ms }
      } finally {
        await pool?.close()
        await remove()
      }
    },
  }
}
