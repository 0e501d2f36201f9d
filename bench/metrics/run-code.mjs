// T12: code in an interpreter that the template has started, beside the same interpreter started on the host.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { runtimes } from 'warmcell'
import { elapsedMs, takeTurns } from '../turns.mjs'
import { mustSucceed, quiet, refilled, template, withPools, withSandbox } from '../warmcell.mjs'

const debianImage = join(import.meta.dirname, '..', '..', 'scripts', 'debian-image')

export const runCode = {
  id: 'T12',
  title: "`runCode('1+1')` in a Python that is already running",
  how: "the root is an image of Debian's packages (`scripts/debian-image python`). From warm and from nothing, with the create; again in a sandbox that has answered before, beside an exec of `true` in it. python3 on the host is its start to the end of `-c 1+1`",
  measure: async ({ plan, flavours }) => {
    const oci = execFileSync('bash', [debianImage, 'python'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim()
    const spec = { ...runtimes.python, root: { oci } }
    return withPools(flavours, { warm: 0, spec }, async (cold) => {
      for (const { pool } of cold) await withSandbox(pool, answer)
      return withPools(flavours, { warm: 1, spec }, async (warm) => {
        const turns = [...cold.map(coldTurn), ...warm.map(warmTurn), onHost]
        return { series: await takeTurns(turns, { rounds: plan.rounds, uncounted: 1 }) }
      })
    })
  },
}

function coldTurn({ subject, pool }) {
  return {
    subject,
    async run() {
      const startedAt = performance.now()
      const elapsed = await withSandbox(pool, async (sandbox) => {
        await answer(sandbox)
        return performance.now() - startedAt
      })
      return { 'create + runCode, from nothing': elapsed }
    },
    settle: () => quiet(pool),
  }
}

function warmTurn({ subject, pool }) {
  return {
    subject,
    async run() {
      const sandbox = await pool.createSandbox({ template })
      try {
        // What the create took it says itself.
        const first = await elapsedMs(() => answer(sandbox))
        await answer(sandbox)
        return {
          'create + runCode, from warm': sandbox.info().createMs + first,
          'first runCode, from warm': first,
          'third runCode': await elapsedMs(() => answer(sandbox)),
          'first exec': await elapsedMs(() => mustSucceed(sandbox.exec(['true']))),
          'second exec': await elapsedMs(() => mustSucceed(sandbox.exec(['true']))),
        }
      } finally {
        await sandbox.destroy()
      }
    },
    settle: () => refilled(pool),
  }
}

/** @type {import('../turns.mjs').Turn} */
const onHost = {
  subject: 'python3 on the host',
  run: async () => ({
    'start + code + end': await elapsedMs(() => once(spawn('python3', ['-c', '1+1'], { stdio: 'ignore' }), 'exit')),
  }),
}

async function answer(sandbox) {
  const { text } = await sandbox.runCode('1+1')
  if (text !== '2') throw new Error(`1+1 is ${text}`)
}
