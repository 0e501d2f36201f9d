// T11: how far the slow ones are from the usual ones, alone and on a machine that has too much to do.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { takeTurns } from '../turns.mjs'
import { withPools } from '../warmcell.mjs'
import { runTurns } from './contender-turns.mjs'
import { warmTurn } from './from-warm.mjs'

const oversubscription = 4

export const tail = {
  id: 'T11',
  title: 'the tail of T1: p99 by p50',
  how: `taken as in T1, first on the machine as it is, then beside ${oversubscription} busy loops per core`,
  measure: ({ plan, flavours, contenders }) =>
    withPools(flavours, { warm: plan.burst }, async (pools) => {
      const turns = [...pools.map(warmTurn), ...runTurns(contenders.of('spawn'), plan)]
      const idle = await takeTurns(turns, { rounds: plan.shortRounds, uncounted: 3 })
      const busy = await besideBusyLoops(() => takeTurns(turns, { rounds: plan.quick ? plan.rounds : plan.shortRounds }))
      return { series: [...renamed(idle, 'idle'), ...renamed(busy, 'oversubscribed')] }
    }),
}

async function besideBusyLoops(work) {
  const loops = Array.from({ length: oversubscription * availableParallelism() }, () =>
    spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }),
  )
  try {
    return await work()
  } finally {
    await Promise.all(
      loops.map((loop) => {
        loop.kill('SIGKILL')
        return once(loop, 'exit')
      }),
    )
  }
}

/** Of all that T1 measures, the one that the target is about. */
function renamed(all, measure) {
  const one = all.filter(({ measure: was }) => ['create + exec', 'create + true + remove', 'none'].includes(was))
  return one.map((was) => ({ ...was, measure }))
}
