// T5: how fast warm stock is made.
import { elapsedMs, takeTurns } from '../turns.mjs'
import { refilled, template, withPools } from '../warmcell.mjs'
import { turnOf } from './contender-turns.mjs'

const perSecond = (count, ms) => count / (ms / 1_000)

export const refill = {
  id: 'T5',
  title: 'warm microVMs made per second',
  how: 'the emptied stock is resized to 16; of podman, 16 containers started at once, run and removed',
  measure: ({ plan, flavours, contenders }) =>
    withPools(flavours, { warm: plan.burst }, async (pools) => {
      const turns = [
        ...pools.map((one) => refillTurn(one, plan.burst)),
        ...contenders.of('crun', 'runc', 'podman').map((contender) =>
          turnOf(contender, plan, async () => ({
            made: perSecond(plan.burst, await elapsedMs(() => contender.burst(plan.burst))),
          })),
        ),
      ]
      return { series: await takeTurns(turns, { rounds: plan.rounds, units: { made: '/s' }, better: { made: 'higher' } }) }
    }),
}

function refillTurn({ subject, pool }, count) {
  return {
    subject,
    async run() {
      await pool.resize(template, 0)
      const emptyBy = performance.now() + 10_000
      while (pool.stats().warm > 0) {
        if (performance.now() > emptyBy) throw new Error('the stock was resized to 0 and is not empty after 10 s')
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      const ms = await elapsedMs(async () => {
        await pool.resize(template, count)
        await pool.ready({ template, count, timeoutMs: 60_000 })
      })
      return { made: perSecond(count, ms) }
    },
    settle: () => refilled(pool),
  }
}
