// The turns of those who are not warmcell.
import { elapsedMs } from '../turns.mjs'

/** Create + `true` + remove, once. */
export function runTurns(contenders, plan) {
  return contenders.map((contender) =>
    turnOf(contender, plan, async () => ({ 'create + true + remove': await elapsedMs(() => contender.run()) })),
  )
}

/** The same, that many at once. */
export function burstTurns(contenders, plan, count = plan.burst) {
  return contenders.map((contender) =>
    turnOf(contender, plan, async () => ({ 'create + true + remove, all': await elapsedMs(() => contender.burst(count)) })),
  )
}

/** @returns {import('../turns.mjs').Turn} */
export function turnOf(contender, plan, run) {
  return {
    subject: contender.name,
    run,
    everyRounds: contender.name === 'podman' ? plan.podmanEveryRounds : 1,
    drop: (reason) => contender.drop(reason),
  }
}
