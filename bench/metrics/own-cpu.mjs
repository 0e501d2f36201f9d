// T9: the processor time that the SDK itself takes for an exec.
import { takeTurns } from '../turns.mjs'
import { exercise, template, withPools } from '../warmcell.mjs'

export const ownCpu = {
  id: 'T9',
  title: "the SDK's own share of an exec",
  how: 'process.cpuUsage() of this Node process over many execs in a real sandbox, one after the other, by their number: user and system time, with all of Node, and without the guest, which is another process',
  measure: ({ plan, flavours }) =>
    withPools(flavours, {}, async (pools) => {
      const turns = []
      for (const { subject, pool } of pools) {
        const sandbox = await pool.createSandbox({ template })
        // The SDK's code is compiled as it gets hot.
        await exercise(sandbox, plan.cpuExecs)
        turns.push({ subject, run: () => cpuOf(sandbox, plan.cpuExecs) })
      }
      const units = { 'processor time': 'µs', 'of it in user mode': 'µs' }
      return { series: await takeTurns(turns, { rounds: plan.longRounds, units }) }
    }),
}

async function cpuOf(sandbox, execs) {
  const before = process.cpuUsage()
  await exercise(sandbox, execs)
  const { user, system } = process.cpuUsage(before)
  return { 'processor time': (user + system) / execs, 'of it in user mode': user / execs }
}
