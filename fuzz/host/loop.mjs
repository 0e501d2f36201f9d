// A fuzzer of its own, for hosts where libFuzzer's binary does not load: inputs are changed at random, and one that goes a new way through the code is kept and changed further.
import { createHash } from 'node:crypto'
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { mutate } from './mutate.mjs'

const { outfile, current, seeds, corpus: kept, found, seconds, inputBytesMax, edges } = JSON.parse(process.argv[2])
const memoryBytesMax = 2 ** 31

const hits = new Uint8Array(edges)
globalThis.__edges = hits
const { fuzz } = createRequire(import.meta.url)(outfile)

/** For each edge, which classes of how often it was passed have been seen, as bits: 1, 2, 3, 4…7, 8…15, 16…31, 32…127, more. */
const seen = new Uint8Array(edges)
const classOf = Uint8Array.from({ length: 256 }, (_, hit) => {
  const limits = [1, 2, 3, 7, 15, 31, 127, 255]
  return hit === 0 ? 0 : 1 << limits.findIndex((limit) => hit <= limit)
})

/** How many edges or classes of them the last run was the first to show. */
function novelty() {
  let fresh = 0
  for (let edge = 0; edge < edges; edge++) {
    const bit = classOf[hits[edge]]
    if ((bit & ~seen[edge]) === 0) continue
    seen[edge] |= bit
    fresh++
  }
  return fresh
}

const nameOf = (input) => createHash('sha1').update(input).digest('hex').slice(0, 16)
// An input that never ends must be known although nobody can say so any more.
const underWay = openSync(current, 'w')

async function tryInput(input) {
  writeSync(underWay, input, 0, input.length, 0)
  ftruncateSync(underWay, input.length)
  hits.fill(0)
  try {
    await fuzz(input)
  } catch (error) {
    const name = join(found, `crash-${nameOf(input)}`)
    writeFileSync(name, input)
    console.error(error)
    console.error(`Found with ${name}: ${input.toString('hex')}`)
    process.exit(1)
  }
  return novelty()
}

const corpus = []
let executions = 0
const covered = () => seen.reduce((sum, bits) => sum + (bits === 0 ? 0 : 1), 0)
const say = (what) =>
  console.log(`${what}: ${executions} executions, ${covered()} of ${edges} edges, ${corpus.length} inputs kept`)

process.on('unhandledRejection', (error) => {
  throw error
})
for (const directory of [seeds, kept])
  for (const name of readdirSync(directory)) {
    const input = readFileSync(join(directory, name))
    executions++
    if ((await tryInput(input)) > 0) corpus.push(input)
  }
say('begins')
const startedAt = performance.now()
let saidAt = startedAt
for (let now = startedAt; now - startedAt < seconds * 1_000; now = performance.now()) {
  const input = mutate(corpus, inputBytesMax)
  executions++
  if ((await tryInput(input)) > 0) {
    corpus.push(input)
    writeFileSync(join(kept, nameOf(input)), input)
  }
  if (now - saidAt < 10_000) continue
  saidAt = now
  say(`${Math.round((now - startedAt) / 1_000)} s`)
  if (process.memoryUsage.rss() > memoryBytesMax) throw new Error('what the inputs leave behind has grown to 2 GiB')
}
closeSync(underWay)
say(`ended, ${Math.round(executions / seconds)} executions a second`)
