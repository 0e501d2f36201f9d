// Runs one command in a microVM of its own and says how long each step took. The first run builds the template; the next finds it.
//
//   WARMCELL_ISOLATION=emulated node examples/run-a-command.mjs
import { createSandbox } from 'warmcell'

const startedAt = performance.now()
const elapsed = (since) => `${Math.round(performance.now() - since)} ms`

const sandbox = await createSandbox({ files: { 'greeting.txt': 'hello from inside\n' } })
try {
  const { createMs, isolation, origin } = sandbox.info()
  console.log(
    `host checked, microVM made: ${elapsed(startedAt)}, of which createSandbox ${Math.round(createMs)} ms; origin ${origin}, isolation ${isolation}`,
  )

  const { stdout, durationMs } = await sandbox.exec('cat greeting.txt; uname -sr; id; ps')
  console.log(stdout.trimEnd().replace(/^/gm, '  │ '))
  console.log(`the command took ${durationMs.toFixed(1)} ms`)

  const failure = await sandbox.exec(['sh', '-c', 'echo "no such luck" >&2; exit 3'])
  console.log(`a failing command is a result, not an exception: exit code ${failure.exitCode}, stderr "${failure.stderr.trim()}"`)
} finally {
  const destroyedAt = performance.now()
  await sandbox.destroy()
  console.log(`destroyed, nothing left: ${elapsed(destroyedAt)}`)
}
