// How long a key takes from `write` until it is shown: echoed by the terminal's line discipline, and by the shell that edits the line; as a ratio
// to a byte through a local `cat` and back. node bench/terminal-echo.mjs [rounds]; needs dist/ and a guest image.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createPool } from 'warmcell'
import { ratio, significant } from './statistics.mjs'
import { elapsedMs, takeTurns } from './turns.mjs'

const rounds = Number(process.argv[2] ?? 500)
const isolation = process.env.WARMCELL_ISOLATION ?? 'emulated'

const cat = spawn('cat', { stdio: ['pipe', 'pipe', 'ignore'] })
const pool = await createPool({ isolation })
const sandbox = await pool.createSandbox()
// sleep reads nothing: what comes back is the terminal's own echo.
const [tty, shell] = await Promise.all([keyboard(['sleep', '1000000']), keyboard(['sh'])])
const turns = [
  { subject: 'local cat', run: async () => ({ key: await elapsedMs(() => throughCat()) }) },
  { subject: 'line discipline', run: async () => ({ key: await elapsedMs(() => tty.type('x')) }) },
  // Deleted again, untimed, so that the line does not grow.
  { subject: 'shell', run: async () => ({ key: await elapsedMs(() => shell.type('x')) }), settle: () => shell.type('\x7f') },
]
const series = await takeTurns(turns, { rounds, uncounted: 20 })
await pool.close()
cat.kill()

const [local] = series
console.log(`${rounds} keys, isolation ${isolation}, times in ms`)
for (const { subject, quantiles, failureReasons } of series) {
  const times = ['p50', 'p95', 'p99'].map((name) => `${name} ${significant(quantiles[name])}`).join('  ')
  const failed = failureReasons.length > 0 ? `  FAILED: ${failureReasons.join(' · ')}` : ''
  console.log(`${subject.padEnd(16)} ${times}  × local ${significant(ratio(quantiles, local.quantiles))}${failed}`)
}

async function keyboard(command) {
  const pty = await sandbox.pty.create({ command, env: { PS1: '> ' } })
  const looking = pty[Symbol.asyncIterator]()
  // A shell first says who it is.
  if (command[0] === 'sh') for (let shown = ''; !shown.includes('> '); ) shown += Buffer.from((await looking.next()).value)
  return {
    type: async (key) => {
      const shown = looking.next()
      await pty.write(key)
      await shown
    },
  }
}

async function throughCat() {
  const back = once(cat.stdout, 'data')
  cat.stdin.write('x')
  await back
}
