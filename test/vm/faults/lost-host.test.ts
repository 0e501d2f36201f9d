/** A host process that is killed at any phase of a microVM: no microVM outlives it, and what it left half made is never used. */

import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { microvmsLeft, sweep } from '../../../src/host/index.ts'
import { pidsWith } from '../../../src/host/processes.ts'
import { recogniseVm } from '../../../src/hypervisor/qemu/index.ts'
import { effort, within } from '../../support/effort.ts'
import { linesOf, startProgram } from '../../support/program.ts'
import { Scratch } from '../../support/scratch.ts'
import { descendsFrom, eventually, vmProcesses } from '../vm.ts'
import { clonePhases, type Phase, templatePhases } from './phases.ts'

/** What a host takes to come to its phase, at most: a template is built on the way. */
const arrivalMsMax = 60_000
/** Two seconds are promised. */
const goneMs = 10_000

let scratch: Scratch
beforeAll(() => {
  scratch = new Scratch()
})
afterAll(() => scratch[Symbol.dispose]())
beforeEach(() => {
  vi.stubEnv('WARMCELL_TEMPLATE_DIR', scratch.join('memory'))
  return () => vi.unstubAllEnvs()
})

/** What a host says when it has come where it shall, or has come to its end. */
async function hostAt(phase: Phase | 'none', state = scratch.join('state')) {
  const host = startProgram('phased-host.ts', state, phase)
  // What a failed test leaves would be found by each test after it.
  onTestFinished(() => void host.kill('SIGKILL'))
  const closed = once(host, 'close')
  const { value } = await within(arrivalMsMax, `the host on its way to '${phase}'`, linesOf(host).next())
  return { host, closed, said: value as unknown }
}

async function killAt(phase: Phase, state?: string): Promise<void> {
  const { host, closed, said } = await hostAt(phase, state)
  expect(said).toBe(phase)
  expect(vmProcesses().length).toBeGreaterThan(0)
  host.kill('SIGKILL')
  await closed
  expect(await eventually(() => vmProcesses().length === 0, goneMs)).toBe(true)
}

/** Each a way of its own in which a process can be left. */
const usual: Phase[] = ['spawned', 'loading', 'identity', 'stocked', 'streaming']
it.each(effort(usual, Object.keys(clonePhases) as Phase[]))(
  'killed while one of its microVMs is in the phase %s',
  async (phase) => {
    for (let turn = 0; turn < effort(1, 5); turn++) await killAt(phase)
  },
)

it.each(effort<Phase[]>(['saving'], Object.keys(templatePhases) as Phase[]))(
  'killed while a template is in the phase %s: what is half made is never used, and cleared away by the next build',
  async (phase) => {
    const state = scratch.join(`state-${phase}`)
    await killAt(phase, state)
    const stored = (): string[] =>
      readdirSync(scratch.join('memory'), { recursive: true, encoding: 'utf8' }).filter((path) => /[0-9a-f]{64}[^/]*$/.test(path))
    const before = new Set(stored())
    expect([...before].filter((path) => path.includes('new'))).toHaveLength(1)
    const { closed, said } = await hostAt('none', state)
    expect(said).toBe('served')
    await closed
    const after = stored()
    // The draft is gone, and a whole template is there that was not.
    expect(after.filter((path) => path.includes('new'))).toEqual([])
    expect(after.filter((path) => !before.has(path))).toHaveLength(1)
  },
)

it('two hosts on one state directory leave each other alone, also when one of them is killed', async () => {
  const state = join(scratch.hostPath, 'state')
  const [one, other] = [await hostAt('idle', state), await hostAt('idle', state)]
  const ofOther = (pid: number): boolean => descendsFrom(pid, other.host.pid as number)
  expect(vmProcesses().every(ofOther)).toBe(false)
  one.host.kill('SIGKILL')
  await one.closed
  expect(await eventually(() => vmProcesses().every(ofOther), goneMs)).toBe(true)
  // A third comes and goes, and sweeps; the second still has what it had.
  const third = await hostAt('none', state)
  expect(third.said).toBe('served')
  await third.closed
  expect(vmProcesses().length).toBeGreaterThan(0)
  other.host.kill('SIGKILL')
  await other.closed
  expect(await eventually(() => vmProcesses().length === 0, goneMs)).toBe(true)
})

it('killed at any moment of the start of a hypervisor: what was on its way never begins', async () => {
  const state = scratch.join('launching')
  const moments = effort(12, 60)
  for (let moment = 0; moment < moments; moment++) {
    const host = startProgram('launching-host.ts', state, String(1 + moment * 7))
    onTestFinished(() => void host.kill('SIGKILL'))
    const closed = once(host, 'close')
    const { value } = await within(arrivalMsMax, 'the host', linesOf(host).next())
    expect(value).toBe('still')
    host.kill('SIGKILL')
    await closed
    expect(await eventually(() => vmProcesses().length === 0, goneMs)).toBe(true)
  }
  // bwrap's own child may still wait to be told to go on: nothing of it has begun, and whoever sweeps next ends it.
  expect(await sweep([() => microvmsLeft(state, recogniseVm)])).toMatchObject({ left: [], failures: [] })
  const isOfState = (argv: readonly string[]): boolean => argv.some((word) => word.startsWith(`${state}/programs/`))
  await expect.poll(() => pidsWith(isOfState), { timeout: goneMs }).toEqual([])
})
