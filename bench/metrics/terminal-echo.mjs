// T14: how long a key takes at a terminal, from `write` until it is shown: echoed by the terminal itself, and by a shell that edits its line.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { elapsedMs, takeTurns } from '../turns.mjs'
import { exercise, template, withPools } from '../warmcell.mjs'

const prompt = '> '
const backspace = '\x7f'

export const terminalEcho = {
  id: 'T14',
  title: 'a key at a terminal until it is shown',
  how: 'one byte typed until its echo has come: by the line discipline, beside a program that reads nothing, and by busybox sh, which edits its line. `spawn` is a byte through a cat of the host and back',
  measure: ({ plan, flavours, contenders }) =>
    withPools(flavours, {}, async (pools) => {
      const turns = []
      for (const { subject, pool } of pools) {
        const sandbox = await pool.createSandbox({ template })
        await exercise(sandbox)
        const [tty, shell] = [await keyboard(sandbox, ['sleep', '1000000']), await keyboard(sandbox, ['sh'])]
        turns.push({
          subject,
          run: async () => ({ echo: await elapsedMs(() => tty('x')), 'echo of a shell': await elapsedMs(() => shell('x')) }),
          // Taken back, untimed, so that the line does not grow.
          settle: () => shell(backspace),
        })
      }
      const local = contenders.of('spawn').map(({ name }) => ({ name, cat: spawn('cat', { stdio: ['pipe', 'pipe', 'ignore'] }) }))
      try {
        for (const { name, cat } of local)
          turns.push({ subject: name, run: async () => ({ echo: await elapsedMs(() => through(cat)) }) })
        return { series: await takeTurns(turns, { rounds: plan.shortRounds, uncounted: 20 }) }
      } finally {
        for (const { cat } of local) cat.kill()
      }
    }),
}

/** What types a key, and resolves when something is shown. */
async function keyboard(sandbox, command) {
  const terminal = await sandbox.pty.create({ command, env: { PS1: prompt } })
  const looking = terminal[Symbol.asyncIterator]()
  // A shell first says that it is there.
  if (command[0] === 'sh') for (let shown = ''; !shown.includes(prompt); ) shown += Buffer.from((await looking.next()).value)
  return async (key) => {
    const shown = looking.next()
    await terminal.write(key)
    await shown
  }
}

async function through(cat) {
  const back = once(cat.stdout, 'data')
  cat.stdin.write('x')
  await back
}
