// T6: the memory of one sandbox beyond what all of them share.
import { availableMib, memoryOf, qemuPids } from '../processes.mjs'
import { takeTurns } from '../turns.mjs'
import { exercise, quiet, template, withPools, withSandbox } from '../warmcell.mjs'

/** The kernel gives freed pages back, and takes new ones, a little later than we look. */
const calmMs = 500

export const memory = {
  id: 'T6',
  title: 'memory of a sandbox beyond the shared template (128 MiB guest)',
  how: 'the fall of MemAvailable over 16 sandboxes, by 16; exercised is after one exec each. PSS and USS are of the QEMU processes, and PSS counts a share of the template. Only a machine that does nothing else gives steady figures',
  measure: ({ plan, flavours }) =>
    withPools(flavours, {}, async (pools) => {
      // Builds the template and brings its pages into memory, so that they are not counted.
      for (const { pool } of pools) await withSandbox(pool, exercise)
      const measures = ['fresh', 'exercised', 'fresh, PSS', 'fresh, USS', 'exercised, PSS', 'exercised, USS']
      const units = Object.fromEntries(measures.map((measure) => [measure, 'MiB']))
      return {
        series: await takeTurns(
          pools.map((one) => memoryTurn(one, plan.burst)),
          { rounds: plan.longRounds, units },
        ),
      }
    }),
}

function memoryTurn({ subject, pool }, count) {
  return {
    subject,
    async run() {
      await calm(pool)
      const before = { availableMib: availableMib(), pids: new Set(qemuPids()) }
      const sandboxes = []
      try {
        for (let i = 0; i < count; i++) sandboxes.push(await pool.createSandbox({ template }))
        await calm(pool)
        const fresh = perSandbox(before, count)
        for (const sandbox of sandboxes) await exercise(sandbox, 1)
        await calm(pool)
        const exercised = perSandbox(before, count)
        return {
          fresh: fresh.mib,
          exercised: exercised.mib,
          'fresh, PSS': fresh.pssMib,
          'fresh, USS': fresh.ussMib,
          'exercised, PSS': exercised.pssMib,
          'exercised, USS': exercised.ussMib,
        }
      } finally {
        await Promise.all(sandboxes.map((sandbox) => sandbox.destroy()))
      }
    },
  }
}

async function calm(pool) {
  await quiet(pool)
  await new Promise((resolve) => setTimeout(resolve, calmMs))
}

function perSandbox(before, count) {
  const processes = qemuPids()
    .filter((pid) => !before.pids.has(pid))
    .map(memoryOf)
  const sum = (field) => processes.reduce((total, one) => total + one[field], 0) / count
  return { mib: (before.availableMib - availableMib()) / count, pssMib: sum('pssMib'), ussMib: sum('ussMib') }
}
