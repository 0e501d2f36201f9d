// Takes every row that was asked for, one after the other, and gathers what they say into one result.
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Contenders } from './contenders/index.mjs'
import { describeCommit, describeMachine, load } from './machine.mjs'
import { rows } from './metrics/index.mjs'
import { judge } from './targets.mjs'
import { view } from './view.mjs'
import { findFlavours } from './warmcell.mjs'

const sharedMemory = '/dev/shm'

/** @param {{ rowIds: string[], kernels: string[], plan: object }} options @param {(line: string) => void} say */
export async function runSuite({ rowIds, kernels, plan }, say) {
  const startedAt = performance.now()
  const loadBefore = load()
  const hostDirectory = await mkdtemp(join(tmpdir(), 'warmcell-bench-'))
  const contenders = new Contenders()
  const templates = await placeForTemplates()
  const undo = undoOnce(contenders, [hostDirectory, ...templates])
  const stopListening = onSignals(async () => {
    await undo()
    process.exit(130)
  })
  try {
    const { flavours, missing } = await findFlavours(kernels, hostDirectory)
    for (const line of missing) say(line)
    await contenders.prepare(hostDirectory)
    for (const { name, reason } of contenders.describe().filter((one) => one.reason)) say(`${name} takes no part: ${reason}`)
    const done = []
    for (const row of rows.filter(({ id }) => rowIds.includes(id))) {
      say(`${row.id}  ${row.title}`)
      done.push(await takeRow(row, { plan, flavours, contenders }))
    }
    return {
      formatVersion: 1,
      date: new Date().toISOString(),
      commit: await describeCommit(import.meta.dirname),
      machine: await describeMachine(flavours),
      method: { ...plan, order: 'contenders take turns in every round, in rotating order', cgroups: view() },
      load: { before: loadBefore, after: load() },
      minutes: (performance.now() - startedAt) / 60_000,
      contenders: contenders.describe(),
      notMeasured: missing,
      rows: done,
      leftBehind: await undo(),
    }
  } finally {
    await undo()
    stopListening()
  }
}

/** A row that fails is part of the result, and no reason not to take the next. */
async function takeRow(row, context) {
  const { id, title, how } = row
  try {
    if (context.flavours.length === 0) throw new Error('no guest image: bash guest-image/build')
    const { series } = await row.measure(context)
    return { id, title, how, status: 'measured', series, verdicts: judge(id, series) }
  } catch (error) {
    return { id, title, how, status: 'not measured', reason: error.message, series: [], verdicts: [] }
  }
}

/** Templates' memory is kept in shared memory, beyond the life of a process: for this run in a directory that goes with it. */
async function placeForTemplates() {
  if (process.env.WARMCELL_TEMPLATE_DIR || !existsSync(sharedMemory)) return []
  process.env.WARMCELL_TEMPLATE_DIR = await mkdtemp(join(sharedMemory, 'warmcell-bench-'))
  return [process.env.WARMCELL_TEMPLATE_DIR]
}

/** Templates are write-protected, their directories too: only root could remove them as they are. */
async function removeTree(hostDirectory) {
  for (const entry of await readdir(hostDirectory, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), 0o700)
  }
  await rm(hostDirectory, { recursive: true, force: true })
}

/** Removes everything that the run made, once, however often it is asked to; resolves with what would not go. */
function undoOnce(contenders, hostDirectories) {
  let undoing
  return () => {
    undoing ??= contenders.cleanup().then(async (complaints) => {
      for (const hostDirectory of hostDirectories) await removeTree(hostDirectory)
      return complaints
    })
    return undoing
  }
}

function onSignals(listener) {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.once(signal, listener)
  return () => {
    for (const signal of signals) process.off(signal, listener)
  }
}
