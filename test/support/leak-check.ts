/**
 * Runs around every test: nothing that a test started may be there when it is over. (Unhandled rejections and uncaught exceptions fail
 * the run by vitest's own rule.)
 */

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { assertNothingLeft, type Inventory, takeInventory } from './inventory.ts'

/** What security.md promises, in milliseconds: said when it is missed, for a busy machine can be the cause. */
const blockedMsPromised = 200

/** What no busy machine explains. */
const blockedMsMax = 5_000

const delays = monitorEventLoopDelay({ resolution: 20 })
const stateHome = mkdtempSync(join(tmpdir(), 'warmcell-test-state-'))
process.env.XDG_STATE_HOME = stateHome
const memoryHome = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'warmcell-test-memory-'))
process.env.WARMCELL_TEMPLATE_DIR = memoryHome

/** What is kept on purpose for the next process: a verdict on the host's accelerator, whole templates and when they were used, whose a place in memory is, and the programs that run confined. */
const kept =
  /\/(probe\.json|state-directory|(templates|warmcell-\d+-[0-9a-f]{12})\/(used\/)?[0-9a-f]{64}(\/[\w.]+)?|programs\/[0-9a-f]{32}\/.*)$/

/** What the journal says of a host that a test has killed is for the next one to read. */
const ofAnotherHost = (file: string): boolean => {
  const [, pid] = /\/journal\/[^/]+\.(\d+)-\d+-\w+\.[0-9a-f]{8}\.[\w-]+$/.exec(file) ?? []
  return pid !== undefined && Number(pid) !== process.pid
}

let beforeFile: Inventory
let beforeTest: Inventory
let blockedMsWorst = 0

beforeAll(() => {
  // The first child of a process leaves the event loop's own pipe for the news of children behind.
  spawnSync('true')
  beforeFile = takeInventory()
  delays.enable()
})

beforeEach(() => {
  delays.reset()
  beforeTest = takeInventory()
})

afterEach(async ({ task }) => {
  await assertNothingLeft(beforeTest)
  const blockedMs = delays.max / 1e6
  blockedMsWorst = Math.max(blockedMsWorst, blockedMs)
  if (blockedMs > blockedMsMax) throw new Error(`'${task.name}' blocked the event loop for ${Math.round(blockedMs)} ms`)
})

afterAll(async () => {
  delays.disable()
  if (blockedMsWorst > blockedMsPromised) {
    process.stderr.write(`The event loop was blocked for ${Math.round(blockedMsWorst)} ms, more than ${blockedMsPromised}.\n`)
  }
  await assertNothingLeft(beforeFile)
  const files = [stateHome, memoryHome].flatMap((home) =>
    readdirSync(home, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => !kept.test(file) && !ofAnotherHost(file)),
  )
  for (const home of [stateHome, memoryHome]) {
    // A template's directory is sealed: also its owner has to open it first.
    for (const entry of readdirSync(home, { recursive: true, withFileTypes: true }))
      if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o700)
    rmSync(home, { recursive: true })
  }
  if (files.length > 0) throw new Error(`Left for the next process: ${files.join(', ')}`)
})
