// T7: bytes per second out of a guest and into it, and what the host holds when nobody reads.
import { spawn } from 'node:child_process'
import { elapsedMs, takeTurns } from '../turns.mjs'
import { exercise, mustSucceed, template, withPools } from '../warmcell.mjs'

const pieceBytes = 65_536
const bytesPerMib = 1_048_576
const piecesPerMib = bytesPerMib / pieceBytes

/** A reader that takes a piece at a time and rests, for so long. */
const slowReader = { restMs: 20, forMs: 2_000 }

export const throughput = {
  id: 'T7',
  title: 'throughput of stdout and stdin; host memory with a slow reader',
  how: 'zeros in 64 KiB writes by dd, and into cat; the slow reader takes a piece every 20 ms for two seconds while the guest writes without end. `spawn` is dd on the host into a pipe',
  measure: ({ plan, flavours, contenders }) =>
    withPools(flavours, {}, async (pools) => {
      const turns = []
      for (const { subject, pool } of pools) {
        const sandbox = await pool.createSandbox({ template })
        await exercise(sandbox)
        turns.push({ subject, run: () => streams(sandbox, plan.streamMib) })
      }
      const host = contenders
        .of('spawn')
        .map(({ name }) => ({ subject: name, run: async () => ({ stdout: await hostRate(plan.streamMib) }) }))
      const rate = { stdout: 'MiB/s', stdin: 'MiB/s' }
      return {
        series: await takeTurns([...turns, ...host], {
          rounds: plan.longRounds,
          units: { ...rate, 'host memory, slow reader': 'MiB' },
          better: { stdout: 'higher', stdin: 'higher' },
        }),
      }
    }),
}

async function streams(sandbox, mib) {
  const rate = async (work) => mib / ((await elapsedMs(() => mustSucceed(work()))) / 1_000)
  const stdout = await rate(() =>
    sandbox.exec(`dd if=/dev/zero bs=64k count=${mib * piecesPerMib} 2>/dev/null`, { maxBufferBytes: bytesPerMib }),
  )
  const stdin = await rate(() => sandbox.exec('cat >/dev/null', { stdin: zeros(mib) }))
  return { stdout, stdin, 'host memory, slow reader': await growthMib(sandbox) }
}

async function* zeros(mib) {
  const piece = Buffer.alloc(pieceBytes)
  for (let i = 0; i < mib * piecesPerMib; i++) yield piece
}

/** How much this process grows at most while a guest writes faster than is read. */
async function growthMib(sandbox) {
  const before = process.memoryUsage().rss
  let most = before
  const endless = await sandbox.spawn(['dd', 'if=/dev/zero', 'bs=64k'], { retain: 'none' })
  const reader = endless.stdout.getReader()
  const until = performance.now() + slowReader.forMs
  while (performance.now() < until) {
    await reader.read()
    await new Promise((resolve) => setTimeout(resolve, slowReader.restMs))
    most = Math.max(most, process.memoryUsage().rss)
  }
  await reader.cancel()
  await endless.kill('SIGKILL')
  await endless.wait()
  return (most - before) / bytesPerMib
}

async function hostRate(mib) {
  const ms = await elapsedMs(
    () =>
      new Promise((resolve, reject) => {
        const child = spawn('dd', ['if=/dev/zero', 'bs=64k', `count=${mib * piecesPerMib}`], {
          stdio: ['ignore', 'pipe', 'ignore'],
        })
        child.stdout.resume()
        child.once('error', reject).once('close', resolve)
      }),
  )
  return mib / (ms / 1_000)
}
