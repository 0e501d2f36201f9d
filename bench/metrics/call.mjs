// T2: one call to the guest and its answer, without a new process there.
import { elapsedMs, takeTurns } from '../turns.mjs'
import { exercise, template, withPools } from '../warmcell.mjs'
import { runTurns } from './contender-turns.mjs'

export const call = {
  id: 'T2',
  title: 'one call to the guest without a new process',
  how: '`files.stat` of a directory; beside it an exec of a program that is not there, until it rejects with SPAWN_FAILED, and a whole exec of `true`',
  measure: ({ plan, flavours, contenders }) =>
    withPools(flavours, {}, async (pools) => {
      const turns = []
      for (const { subject, pool } of pools) {
        const sandbox = await pool.createSandbox({ template })
        await exercise(sandbox)
        turns.push({
          subject,
          run: async () => ({
            'one call': await elapsedMs(() => sandbox.files.stat('/srv')),
            'exec of nothing': await elapsedMs(() => refused(sandbox)),
            exec: await elapsedMs(() => sandbox.exec(['true'])),
          }),
        })
      }
      const series = await takeTurns([...turns, ...runTurns(contenders.of('spawn'), plan)], {
        rounds: plan.shortRounds,
        uncounted: 3,
      })
      return { series }
    }),
}

async function refused(sandbox) {
  try {
    await sandbox.exec(['no-such-program'])
  } catch (error) {
    if (error.code === 'SPAWN_FAILED') return
    throw error
  }
  throw new Error('a program that is not there has run')
}
