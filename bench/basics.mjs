// The figures of the README, each with its method. Contenders take turns in one run; medians are printed with p95.
//
//   npm run build && node bench/basics.mjs [rounds]
//
// Emulated unless WARMCELL_ISOLATION says otherwise. Node's own spawn('/bin/true') runs beside, as the measure of this machine at this moment.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { createPool } from 'warmcell'

process.env.WARMCELL_ISOLATION ??= 'emulated'
const rounds = Number(process.argv[2] ?? 20)
const mib = 1_048_576
const streamMib = 64

const samples = {}
/** Times one piece of work in milliseconds, or turns the time into another figure. */
async function measure(name, unit, work, figure = (ms) => ms) {
  const startedAt = performance.now()
  await work()
  const taken = figure(performance.now() - startedAt)
  samples[name] ??= { unit, values: [] }
  samples[name].values.push(taken)
}
const rate = (ms) => streamMib / (ms / 1_000)

const pool = await createPool()
const sandbox = await pool.createSandbox()
const piece = Buffer.alloc(65_536)
async function* input() {
  for (let i = 0; i < streamMib * 16; i++) yield piece
}
const hostSpawn = () => new Promise((resolve) => spawn('/bin/true', { stdio: 'ignore' }).once('exit', resolve))

// The emulator translates code when it first meets it: not counted.
for (let i = 0; i < 5; i++) await sandbox.exec(['true'])

for (let round = 0; round < rounds; round++) {
  await measure("the host's own spawn('/bin/true')", 'ms', hostSpawn)
  await measure("exec(['true'])", 'ms', () => sandbox.exec(['true']))
  await measure('starting a program that is not there: all but the exec itself', 'ms', () =>
    sandbox.exec(['no-such-program']).catch(() => {}),
  )
  if (round % 4 !== 0) continue
  await measure(
    'stdout, 64 MiB in 64 KiB writes',
    'MiB/s',
    () => sandbox.exec(`dd if=/dev/zero bs=64k count=${streamMib * 16} 2>/dev/null`, { maxBufferBytes: mib }),
    rate,
  )
  await measure('stdin, 64 MiB to cat', 'MiB/s', () => sandbox.exec('cat >/dev/null', { stdin: input() }), rate)
  let fresh
  await measure('createSandbox, by booting', 'ms', async () => {
    fresh = await pool.createSandbox()
  })
  await measure('its first exec', 'ms', () => fresh.exec(['true']))
  samples['memory of its QEMU process, fresh (PSS)'] ??= { unit: 'MiB', values: [] }
  samples['memory of its QEMU process, fresh (PSS)'].values.push(pssMib(fresh.id))
  await measure('destroy, nothing left', 'ms', () => fresh.destroy())
}
await pool.close()

console.log(
  `${cpus().length} × ${cpus()[0].model}, Node ${process.versions.node}, isolation ${process.env.WARMCELL_ISOLATION}, load ${loadavg()[0].toFixed(1)}, ${rounds} rounds\n`,
)
console.log('| what | median | p95 |\n| --- | --- | --- |')
for (const [name, { unit, values }] of Object.entries(samples)) {
  values.sort((a, b) => (unit === 'MiB/s' ? b - a : a - b))
  const at = (share) => values[Math.min(values.length - 1, Math.floor(share * values.length))].toPrecision(3)
  console.log(`| ${name} | ${at(0.5)} ${unit} | ${at(0.95)} ${unit} |`)
}

/** Proportional set size: the process's own memory and its share of what it shares. */
function pssMib(id) {
  for (const pid of readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ')) {
    if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(id)) continue
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) / 1_024
  }
  throw new Error(`no process of ${id}`)
}
