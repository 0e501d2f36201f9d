// Shows output as it comes, feeds input while it runs, and stops a command that takes too long.
//
//   WARMCELL_ISOLATION=emulated node examples/stream-output.mjs
import { createSandbox } from 'warmcell'

const sandbox = await createSandbox()
try {
  console.log('— lines as they are printed')
  await sandbox.exec('for i in 1 2 3; do echo "line $i"; sleep 0.2; done', {
    onStdout: (text) => process.stdout.write(`  ${text}`),
  })

  console.log('— a conversation with a process')
  const sort = await sandbox.spawn(['sort', '-n'], { stdin: 'pipe' })
  const input = sort.stdin.getWriter()
  for (const number of [42, 7, 19]) await input.write(`${number}\n`)
  await input.close()
  for await (const { stream, data } of sort)
    console.log(`  ${stream}: ${Buffer.from(data).toString().trim().split('\n').join(', ')}`)

  console.log('— a time limit keeps what was printed')
  const slow = await sandbox.exec('echo started; sleep 60', { timeoutMs: 500 })
  console.log(`  timedOut ${slow.timedOut}, signal ${slow.signal}, stdout "${slow.stdout.trim()}"`)
} finally {
  await sandbox.destroy()
}
