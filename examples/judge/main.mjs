// Judges C programs: each is compiled and run in a microVM of its own, under the limits of the problem.
//
//   WARMCELL_ISOLATION=emulated node examples/judge/main.mjs                # what is in submissions/
//   WARMCELL_ISOLATION=emulated node examples/judge/main.mjs one.c two.c    # or these
//
// The image with the compiler is made of Debian's packages on the first run; --image REFERENCE names another.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createPool } from 'warmcell'
import { judge } from './judge.mjs'
import { problem } from './problem.mjs'

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url))
const { values, positionals } = parseArgs({ options: { image: { type: 'string' } }, allowPositionals: true })
const files =
  positionals.length > 0 ? positionals : readdirSync(pathOf('submissions')).map((name) => pathOf(`submissions/${name}`))

/** The reference is all that the script prints; what it does goes to stderr. */
function debianImage(preset) {
  const stdio = ['ignore', 'pipe', 'inherit']
  return execFileSync('bash', [pathOf('../../scripts/debian-image'), preset], { encoding: 'utf8', stdio }).trim()
}

const pool = await createPool({
  templates: {
    c: {
      root: { oci: values.image ?? debianImage('gcc') },
      resources: { memoryMib: 256, diskMib: 64 },
      // Compiled once before the snapshot: the compiler is in every clone's memory then.
      setup: ["echo 'int main(void) { return 0; }' | gcc -O2 -x c -o /tmp/first - && /tmp/first && rm /tmp/first"],
      warm: 2,
    },
  },
  budget: { sandboxes: 4 },
  onExhausted: 'wait',
})
try {
  await pool.ready({ template: 'c' })
  const startedAt = performance.now()
  await Promise.all(
    files.map(async (file) => {
      const { verdict, detail } = await judge(pool, problem, readFileSync(file, 'utf8'))
      console.log(`${basename(file).padEnd(20)} ${verdict.padEnd(16)} ${detail}`.trimEnd())
    }),
  )
  console.log(`${files.length} submissions in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`)
} finally {
  await pool.close()
}
