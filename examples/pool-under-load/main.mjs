// Several tenants create, run a command and destroy, all the time and all at once; the terminal shows how the pool serves them.
//
//   WARMCELL_ISOLATION=emulated node examples/pool-under-load/main.mjs --seconds 20
//
// Ends by itself, or with Ctrl-C, with a summary. README.md says what to look at.
import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createPool, WarmcellError } from 'warmcell'
import { Screen, table } from './screen.mjs'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    tenants: { type: 'string', default: '4' },
    loops: { type: 'string', default: '3' },
    warm: { type: 'string', default: '4' },
    sandboxes: { type: 'string', default: '8' },
  },
})
const [seconds, tenantCount, loops, warmMax, sandboxes] = ['seconds', 'tenants', 'loops', 'warm', 'sandboxes'].map(positive)

/** The first weighs three times as much as the others; the last may have one sandbox at a time, and asks for more all the same. */
const tenants = Array.from({ length: tenantCount }, (_, index) => ({
  name: `tenant-${index + 1}`,
  weight: index === 0 ? 3 : 1,
  cap: index > 0 && index === tenantCount - 1 ? 1 : undefined,
  served: 0,
  refused: 0,
  failed: 0,
  createMs: 0,
}))

const stop = new AbortController()
// Every create under way listens to it.
setMaxListeners(0, stop.signal)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort())

const pool = await createPool({
  templates: { base: { resources: { memoryMib: 128 }, warm: { min: 1, max: warmMax } } },
  budget: { sandboxes },
  tenants: Object.fromEntries(
    tenants.map(({ name, weight, cap }) => [name, { weight, ...(cap !== undefined && { sandboxes: cap }) }]),
  ),
})
const failures = []
pool.on('bootFailed', (error) => failures.push(error.message.split('\n')[0]))

try {
  console.log('building the template and filling the stock …')
  await pool.ready({ signal: stop.signal })
  await underLoad()
  await pool.close({ mode: 'drain', timeoutMs: 10_000 })
} catch (error) {
  if (!stop.signal.aborted) throw error
} finally {
  await pool.close()
}
summarize()

/** Every loop of every tenant, until the time is over; the screen is drawn meanwhile. */
async function underLoad() {
  const timer = setTimeout(() => stop.abort(), seconds * 1_000)
  const screen = new Screen(process.stdout)
  const startedAt = performance.now()
  const drawing = setInterval(() => screen.draw(view(startedAt), line(startedAt)), screen.everyMs)
  try {
    await Promise.all(tenants.flatMap((tenant) => Array.from({ length: loops }, () => loop(tenant))))
    screen.draw(view(startedAt), line(startedAt))
  } finally {
    clearInterval(drawing)
    clearTimeout(timer)
  }
}

async function loop(tenant) {
  while (!stop.signal.aborted) {
    try {
      const sandbox = await pool.createSandbox({ tenant: tenant.name, signal: stop.signal })
      try {
        await sandbox.exec('echo hello from $(hostname)')
        tenant.served++
        tenant.createMs += sandbox.info().createMs
      } finally {
        await sandbox.destroy()
      }
    } catch (error) {
      if (stop.signal.aborted) return
      if (!WarmcellError.is(error)) throw error
      if (error.code === 'TENANT_LIMIT') tenant.refused++
      else tenant.failed++
      // Whoever is refused waits before asking again.
      await delay(200, undefined, { signal: stop.signal }).catch(() => {})
    }
  }
}

function view(startedAt) {
  const { warm, parked, booting, assigned, waiting, hits, misses, createMs, firstExecMs, byTenant } = pool.stats()
  const elapsed = (performance.now() - startedAt) / 1_000
  const total = tenants.reduce((sum, { served }) => sum + served, 0)
  return [
    `${elapsed.toFixed(0)} of ${seconds} s   ${total} served, ${(total / elapsed).toFixed(1)} a second   budget ${assigned + warm + booting} of ${sandboxes} sandboxes`,
    '',
    ...table([
      ['warm', 'parked', 'making', 'assigned', 'in line', 'hits', 'misses', 'create p50', 'p95', 'first exec p50', 'p95'],
      [
        warm,
        parked,
        booting,
        assigned,
        waiting,
        hits,
        misses,
        ms(createMs.p50),
        ms(createMs.p95),
        ms(firstExecMs.p50),
        ms(firstExecMs.p95),
      ],
    ]),
    '',
    ...table([
      ['tenant', 'weight', 'cap', 'has', 'waits', 'served', 'refused', 'failed', 'create mean'],
      ...tenants.map(({ name, weight, cap, served, refused, failed, createMs: sum }) => [
        name,
        weight,
        cap ?? '–',
        byTenant[name]?.assigned ?? 0,
        byTenant[name]?.waiting ?? 0,
        served,
        refused,
        failed,
        ms(served === 0 ? 0 : sum / served),
      ]),
    ]),
  ]
}

/** The same for a log, in one line. */
function line(startedAt) {
  const { warm, booting, assigned, waiting, hits, misses, createMs } = pool.stats()
  const at = ((performance.now() - startedAt) / 1_000).toFixed(0)
  return `${at} s: ${hits + misses} served (${hits} from stock), warm ${warm}, making ${booting}, assigned ${assigned}, in line ${waiting}, create p50 ${ms(createMs.p50)}, p95 ${ms(createMs.p95)}`
}

function summarize() {
  const { hits, misses, createMs, firstExecMs, bootFailures } = pool.stats()
  const share = hits + misses === 0 ? 0 : Math.round((100 * hits) / (hits + misses))
  console.log(
    `\n${hits + misses} sandboxes were served, ${share} % of them from warm stock; ${bootFailures} makings failed; nothing is left.`,
  )
  console.log(
    `create: p50 ${ms(createMs.p50)}, p95 ${ms(createMs.p95)}, p99 ${ms(createMs.p99)}; first exec: p50 ${ms(firstExecMs.p50)}, p95 ${ms(firstExecMs.p95)}`,
  )
  for (const { name, weight, served, refused } of tenants)
    console.log(`${name}, weight ${weight}: ${served} served, ${refused} refused`)
  for (const message of new Set(failures)) console.log(`failed: ${message}`)
}

function positive(name) {
  const number = Number(values[name])
  if (!(number > 0)) {
    console.error(`--${name} takes a number above 0, not '${values[name]}'.`)
    process.exit(2)
  }
  return number
}

function ms(value) {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
}
