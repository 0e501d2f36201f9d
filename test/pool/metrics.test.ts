/** What a pool tells Prometheus is well formed, and says what has happened. */

import { expect, test } from 'vitest'
import { createFakePool } from '../../src/testing/index.ts'
import { patiently } from './patiently.ts'

/** The text exposition format, version 0.0.4: each sample by its name with its labels; throws where a line is none of it. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  const typed = new Set<string>()
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const comment = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line)
    if (comment !== null) {
      if (comment[1] === 'TYPE') typed.add(comment[2] ?? '')
      continue
    }
    const sample = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (\S+)$/.exec(line)
    if (sample === null) throw new Error(`no sample: ${line}`)
    const [, name = '', labels = '', value] = sample
    expect(typed.has(name.replace(/_(bucket|sum|count)$/, '')) || typed.has(name)).toBe(true)
    expect(Number.isNaN(Number(value))).toBe(false)
    samples.set(name + labels, Number(value))
  }
  return samples
}

test('metrics are well formed and count what happens', async () => {
  let lose = false
  await using pool = createFakePool({
    templates: { base: { warm: 2 }, 'odd "name"\n': {} },
    budget: { sandboxes: 5, memoryMib: 4_096 },
    tenants: { capped: { sandboxes: 0 } },
    onGuestStep: (guest, step) => {
      if (lose && step === 'SetClock') {
        lose = false
        guest.crash()
      }
    },
  })
  await patiently(() => pool.stats()).toMatchObject({ warm: 2, parked: 2 })
  const sandbox = await pool.createSandbox()
  await sandbox.exec('true')
  await sandbox.exec('true')
  await pool.createSandbox({ template: 'odd "name"\n' })
  await expect(pool.createSandbox({ tenant: 'capped' })).rejects.toMatchObject({ code: 'TENANT_LIMIT' })
  await pool.ready()
  lose = true
  await pool.createSandbox()
  await patiently(() => pool.stats()).toMatchObject({ warm: 2, parked: 2, assigned: 3 })
  const samples = parse(await pool.metrics())
  const at = (name: string): number | undefined => samples.get(name)
  expect(at('warmcell_warm{template="base"}')).toBe(2)
  expect(at('warmcell_parked{template="base"}')).toBe(2)
  expect(at('warmcell_making{template="base"}')).toBe(0)
  expect(at('warmcell_assigned{template="base"}')).toBe(2)
  expect(at('warmcell_assigned{template="odd \\"name\\"\\n"}')).toBe(1)
  expect(at('warmcell_waiting{template="base"}')).toBe(0)
  expect(at('warmcell_budget_sandboxes_used')).toBe(5)
  expect(at('warmcell_budget_sandboxes_limit')).toBe(5)
  expect(at('warmcell_budget_memory_bytes_used')).toBe((5 * 320 + 2 * 32) * 1_048_576)
  expect(at('warmcell_budget_memory_bytes_limit')).toBe(4_096 * 1_048_576)
  expect(at('warmcell_creates_total{template="base",origin="warm"}')).toBe(2)
  expect(at('warmcell_creates_total{template="odd \\"name\\"\\n",origin="clone"}')).toBe(1)
  expect(at('warmcell_failures_total{template="base",reason="wake"}')).toBe(1)
  expect(at('warmcell_rejected_creates_total{cause="tenant-sandboxes"}')).toBe(1)
  expect(at('warmcell_create_seconds_count{origin="warm"}')).toBe(2)
  expect(at('warmcell_first_exec_seconds_count{origin="warm"}')).toBe(1)
  expect(pool.stats()).toMatchObject({ hits: 2, misses: 1, firstExecMs: { count: 1 }, createMs: { count: 3 } })
})

test('two pools count apart', async () => {
  await using one = createFakePool()
  await using other = createFakePool()
  await one.createSandbox()
  expect(parse(await other.metrics()).get('warmcell_creates_total{template="base",origin="clone"}')).toBeUndefined()
  expect(parse(await one.metrics()).get('warmcell_creates_total{template="base",origin="clone"}')).toBe(1)
})
