/** `npm run soak -- [--minutes 30] [--seed N]`: everything that may happen to a pool, at random and at once, against a model of what must hold. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createPool } from '../../src/index.ts'
import { assertNothingLeft, takeInventory } from '../support/inventory.ts'
import { Scratch } from '../support/scratch.ts'
import { vmProcesses } from '../vm/vm.ts'
import { commands } from './commands.ts'
import { Gauges } from './gauges.ts'
import { Random } from './random.ts'
import { must, World } from './world.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string' }, seed: { type: 'string' } } })
const minutes = Number(values.minutes ?? 30)
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
if (!(minutes > 0) || !Number.isSafeInteger(seed)) throw new Error('usage: npm run soak -- [--minutes 30] [--seed N]')

/** How many commands are under way at a time. */
const atOnce = 8

/** No promise may take longer, whatever happens: with eight commands on two cores, a template's build is the longest. In milliseconds. */
const settleMs = 90_000

/** What is shown of what came before a failure. */
const traceLines = 80

const small = { resources: { memoryMib: 128 } }
const budget = { memoryMib: 2_304, sandboxes: 10 } as const

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const trace: string[] = []
const startedAt = performance.now()
const note = (line: string): void => {
  trace.push(`${((performance.now() - startedAt) / 1_000).toFixed(2).padStart(8)} ${line}`)
  if (trace.length > traceLines) trace.shift()
}

async function main(): Promise<void> {
  using scratch = new Scratch()
  process.env.XDG_STATE_HOME = scratch.join('home')
  if (process.env.WARMCELL_TEMPLATE_DIR === undefined) process.env.WARMCELL_TEMPLATE_DIR = scratch.join('memory')
  // The first child of a process, and its first stream, leave descriptors of Node's own behind.
  await once(spawn('true', { stdio: ['ignore', 'pipe', 'ignore'] }), 'close')
  const before = takeInventory()
  const pool = await createPool({
    isolation: 'emulated',
    templates: { base: { ...small, warm: 2 }, rolling: { ...small, setup: ['echo 0 >/etc/version'] } },
    budget,
    acquireTimeoutMs: 30_000,
    tenants: { default: { sandboxes: 4 }, dave: { sandboxes: 2, weight: 3 } },
    stateDir: scratch.join('state'),
  })
  const world = new World(pool, new Random(seed))
  const gauges = new Gauges(world, budget, say)
  say(`soak: ${minutes} minutes, seed ${seed}: repeat its decisions with --seed ${seed}`)
  const until = startedAt + minutes * 60_000
  const underWay = new Map<number, { name: string; since: number }>()
  let [serial, failed] = [0, undefined as unknown]

  async function worker(): Promise<void> {
    while (performance.now() < until && failed === undefined) {
      const command = world.random.weighted(commands)
      const number = serial++
      const since = performance.now()
      underWay.set(number, { name: command.name, since })
      note(`${number} ${command.name}`)
      try {
        await command.run(world)
      } catch (error) {
        failed ??= error
        note(`${number} ${command.name} FAILED: ${String(error)}`)
      }
      note(`${number} ${command.name}: ${Math.round(performance.now() - since)} ms`)
      gauges.took(command.name, performance.now() - since)
      underWay.delete(number)
      await delay(world.random.whole(0, 50))
    }
  }

  async function watch(): Promise<void> {
    while (underWay.size > 0 || performance.now() < until) {
      gauges.look()
      for (const [number, { name, since }] of underWay)
        must(performance.now() - since < settleMs, `command ${number}, '${name}', has not come to its end in ${settleMs} ms`)
      if (failed !== undefined) throw failed
      await delay(200)
    }
  }

  try {
    await Promise.all([watch(), ...Array.from({ length: atOnce }, worker)])
    if (failed !== undefined) throw failed
    note('closing')
    for (const life of world.lives.values()) if (life.harm === 'none') life.harm = 'destroyed'
    await pool.close()
    must(vmProcesses().length === 0, `the pool is closed, and ${vmProcesses().length} microVMs are there`)
    gauges.conclude()
    await assertNothingLeft(before)
    const half = readdirSync(scratch.hostPath, { recursive: true, encoding: 'utf8' }).filter((path) => /\.(new|old)\./.test(path))
    must(half.length === 0, `left half made: ${half.join(', ')}`)
    gauges.summarize()
    say(`soak: all held, seed ${seed}`)
  } finally {
    // Also after a failure: what was printed is of no use to whoever is left with microVMs.
    await pool.close().catch(() => {})
  }
}

function fail(error: unknown): never {
  say(`\nThe last ${trace.length} steps:\n${trace.join('\n')}`)
  say(
    `\nsoak: FAILED after ${Math.round((performance.now() - startedAt) / 1_000)} s with seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`,
  )
  process.exit(1)
}

process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)
await main().catch(fail)
