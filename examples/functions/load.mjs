// The load test: several tenants invoke their functions, all at once, for some seconds; then what was cold, what was warm, and how long it took.
//
//   node examples/functions/load.mjs --url http://127.0.0.1:8080 --tenants 4 --clients 4 --seconds 20
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    tenants: { type: 'string', default: '4' },
    clients: { type: 'string', default: '4' },
    concurrency: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '20' },
    'think-ms': { type: 'string', default: '0' },
  },
})
const [tenants, clients, concurrency, seconds, thinkMs] = ['tenants', 'clients', 'concurrency', 'seconds', 'think-ms'].map(number)

const names = Array.from({ length: tenants }, (_, index) => `tenant-${index + 1}`)
const urlOf = (tenant) => `${values.url}/functions/${tenant}/hello`
const handler = await readFile(new URL('hello.sh', import.meta.url))
for (const tenant of names) {
  const { status } = await fetch(`${urlOf(tenant)}?concurrency=${concurrency}`, { method: 'PUT', body: handler })
  if (status !== 201) throw new Error(`${tenant} could not deploy: ${status}`)
}

const samples = []
const endAt = performance.now() + seconds * 1_000
await Promise.all(names.flatMap((tenant) => Array.from({ length: clients }, () => client(tenant))))
report()

async function client(tenant) {
  while (performance.now() < endAt) {
    const startedAt = performance.now()
    const response = await fetch(urlOf(tenant), { method: 'POST', body: tenant })
    const text = await response.text()
    // Somebody else's answer would be the end of the platform.
    if (response.ok && !text.startsWith(`hello ${tenant},`)) throw new Error(`${tenant} was answered: ${text}`)
    samples.push({
      tenant,
      status: response.status,
      start: response.headers.get('x-start') ?? 'none',
      ms: performance.now() - startedAt,
      servedMs: Number(response.headers.get('x-duration-ms')),
    })
    if (thinkMs > 0) await delay(thinkMs)
  }
}

function number(name) {
  const value = Number(values[name])
  if (!(value >= 0)) {
    console.error(`--${name} takes a number, not '${values[name]}'.`)
    process.exit(2)
  }
  return value
}

function report() {
  const failures = samples.filter(({ status }) => status !== 200)
  console.log(
    `${samples.length} invocations in ${seconds} s, ${(samples.length / seconds).toFixed(1)} a second, ${failures.length} failed`,
  )
  for (const start of ['cold', 'warm']) {
    const some = samples.filter((sample) => sample.status === 200 && sample.start === start)
    if (some.length === 0) continue
    console.log(
      `  ${start}: ${String(some.length).padStart(6)}   in the instance ${quantiles(some.map(({ servedMs }) => servedMs))}   with the queue ${quantiles(some.map(({ ms }) => ms))}`,
    )
  }
  for (const tenant of names)
    console.log(`  ${tenant}: ${samples.filter((sample) => sample.tenant === tenant && sample.status === 200).length}`)
  const statuses = new Map()
  for (const { status } of failures) statuses.set(status, (statuses.get(status) ?? 0) + 1)
  for (const [status, count] of statuses) console.log(`  status ${status}: ${count}`)
  if (failures.length > 0) process.exitCode = 1
}

function quantiles(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
  return [0.5, 0.95, 0.99].map((q) => `p${q * 100} ${at(q).toFixed(1)} ms`).join(', ')
}
