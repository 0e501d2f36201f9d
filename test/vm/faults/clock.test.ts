/** When the wall clock of the host jumps, no timer fires early or late, and a guest that is taken after it has the new time. */

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createPool, type DestroyReason } from '../../../src/index.ts'
import { effort, within } from '../../support/effort.ts'
import { poolOfThisFile } from '../vm.ts'
import { small } from './faulty-pool.ts'

const pool = poolOfThisFile({ templates: { base: small }, tenants: { counted: { createsPerMinute: 1 } } })

const hour = 3_600_000
const RealDate = Date
let offsetMs = 0

/** Everything that this process reads of the wall clock. The clock itself is not touched: it is not this test's alone. */
class JumpingDate extends RealDate {
  constructor(...given: unknown[]) {
    super(...((given.length === 0 ? [JumpingDate.now()] : given) as [number]))
  }

  static override now(): number {
    return RealDate.now() + offsetMs
  }
}

beforeEach(() => {
  offsetMs = 0
  vi.stubGlobal('Date', JumpingDate)
})
afterEach(() => void vi.unstubAllGlobals())

const guestMs = async (sandbox: { exec(command: string): Promise<{ stdout: string }> }): Promise<number> =>
  Number((await sandbox.exec('date +%s')).stdout) * 1_000

/** A second is promised, another is date's own granularity, and a third is for a machine that is busy. */
const apartMsMax = 3_000

const jumps: [string, number][] = [
  ['forwards by a day', 24 * hour],
  ['back by a year', -365 * 24 * hour],
  ['forwards by an hour', hour],
  ['back by an hour', -hour],
]
it.each(effort(jumps.slice(0, 2), jumps))('%s', async (_name, jump) => {
  await using stocked = await createPool({ isolation: 'emulated', templates: { base: { ...small, warm: 1 } } })
  await stocked.ready()
  const lasting = await pool().createSandbox({ timeoutMs: hour / 2, idleTimeoutMs: hour / 2 })
  const ending = await pool().createSandbox({ timeoutMs: 1_500 })
  const ended = new Promise<DestroyReason>((resolve) => ending.once('destroyed', resolve))
  const unhurried = lasting.exec('sleep 1; echo done', { timeoutMs: 20 * 60_000 })
  offsetMs = jump

  // What was to come soon comes soon, and what was to come later does not.
  expect(await within(15_000, 'its lifetime', ended)).toBe('timeout')
  expect(await unhurried).toMatchObject({ stdout: 'done\n', timedOut: false })
  expect(await within(15_000, 'a time limit', lasting.exec('sleep 300', { timeoutMs: 200 }))).toMatchObject({ timedOut: true })
  expect(lasting.state).toBe('running')
  const left = (lasting.info().expiresAt?.getTime() ?? 0) - JumpingDate.now()
  expect(Math.abs(left - hour / 2)).toBeLessThan(60_000)

  // One that had waited since before the jump, and one that is cloned after it.
  for (const [origin, from] of [
    ['warm', stocked],
    ['clone', pool()],
  ] as const) {
    const sandbox = await from.createSandbox()
    expect(sandbox.info().origin).toBe(origin)
    expect(Math.abs((await guestMs(sandbox)) - JumpingDate.now())).toBeLessThan(apartMsMax)
    await sandbox.destroy()
  }
  await lasting.destroy()
})

it('a rate of creates is counted by a clock that does not jump', async () => {
  await (await pool().createSandbox({ tenant: 'counted' })).destroy()
  for (const jump of [hour, -hour]) {
    offsetMs = jump
    await expect(pool().createSandbox({ tenant: 'counted' })).rejects.toMatchObject({ code: 'TENANT_LIMIT' })
  }
})
