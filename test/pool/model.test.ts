/** Whatever is done to a pool, in whatever order: its promises hold. Model-based: the model is what a caller may expect, the real one is a pool over fake guests. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Sandbox, WarmcellError } from '../../src/index.ts'
import { createFakePool, type FakeGuest, type FakePool } from '../../src/testing/index.ts'

const sandboxesMax = 4
const warmMax = 3

interface Create {
  readonly number: number
  readonly tenant: string
  readonly template: string
  readonly abort: AbortController
  state: 'pending' | 'served' | 'failed'
}

/** What a caller knows. */
interface Model {
  readonly creates: Create[]
  readonly sandboxes: Map<string, Sandbox>
  /** Ids that were handed out. */
  readonly seen: Set<string>
  number: number
}

interface Real {
  readonly pool: FakePool
}

type Step = fc.AsyncCommand<Model, Real>

/** Long enough for some of what is under way to happen, and some not. */
const aMoment = (turns: number): Promise<void> =>
  new Promise((resolve) => {
    let left = turns
    const turn = (): void => void (left-- > 0 ? setImmediate(turn) : resolve())
    turn()
  })

function check({ pool }: Real, model: Model): void {
  const { warm, booting, assigned, waiting, byTemplate } = pool.stats()
  expect(warm + booting + assigned).toBeLessThanOrEqual(sandboxesMax)
  expect(assigned).toBe(pool.listSandboxes().length)
  for (const count of Object.values(byTemplate)) for (const value of Object.values(count)) expect(value).toBeGreaterThanOrEqual(0)
  expect(waiting).toBeLessThanOrEqual(model.creates.filter(({ state }) => state === 'pending').length)
  // A guest that somebody has is in no stock.
  for (const { id } of pool.listSandboxes()) expect(pool.guests.find((guest) => guest.id === id)?.paused ?? false).toBe(false)
}

function step(name: string, act: (model: Model, pool: FakePool) => Promise<unknown> | unknown): Step {
  return {
    check: () => true,
    run: async (model, real) => {
      await act(model, real.pool)
      check(real, model)
    },
    toString: () => name,
  }
}

function create(tenant: string, template: string): Step {
  return step(`create ${template} for ${tenant}`, (model, pool) => {
    const entry: Create = { number: model.number++, tenant, template, abort: new AbortController(), state: 'pending' }
    model.creates.push(entry)
    void pool.createSandbox({ tenant, template, signal: entry.abort.signal }).then(
      (sandbox) => {
        entry.state = 'served'
        expect(entry.abort.signal.aborted).toBe(false)
        expect(model.seen.has(sandbox.id)).toBe(false)
        expect(sandbox.info()).toMatchObject({ tenant, template })
        model.seen.add(sandbox.id)
        model.sandboxes.set(sandbox.id, sandbox)
      },
      (error: unknown) => {
        entry.state = 'failed'
        expect(error === 'given up' || (WarmcellError.is(error) && error.code === 'BOOT_FAILED')).toBe(true)
      },
    )
  })
}

const abort = (which: number): Step =>
  step(`give up ${which}`, ({ creates }) => {
    const pending = creates.filter(({ state }) => state === 'pending')
    pending[which % Math.max(1, pending.length)]?.abort.abort('given up')
  })

const destroy = (which: number): Step =>
  step(`destroy ${which}`, async ({ sandboxes }) => {
    const sandbox = [...sandboxes.values()][which % Math.max(1, sandboxes.size)]
    if (sandbox === undefined) return
    sandboxes.delete(sandbox.id)
    await sandbox.destroy()
    expect(['destroyed', 'crashed']).toContain(sandbox.state)
  })

const lose = (which: number): Step =>
  step(`lose ${which}`, (_, pool) => {
    const guest: FakeGuest | undefined = pool.guests[which % Math.max(1, pool.guests.length)]
    guest?.crash()
  })

const resize = (template: string, warm: number): Step =>
  step(`resize ${template} to ${warm}`, async (_, pool) => {
    await pool.resize(template, warm)
    expect(pool.stats().byTemplate[template]?.warm).toBeLessThanOrEqual(warm)
  })

const update = (template: string, version: number): Step =>
  step(`update ${template} to ${version}`, (_, pool) => {
    pool.updateTemplate(template, { warm: version % (warmMax + 1), setup: [String(version)] }).catch(() => {})
  })

const pass = (turns: number): Step => step(`let ${turns} turns pass`, () => aMoment(turns))

const tenant = fc.constantFrom('a', 'b', 'c')
const template = fc.constantFrom('x', 'y')
const commands = [
  fc.tuple(tenant, template).map(([who, what]) => create(who, what)),
  fc.tuple(tenant, template).map(([who, what]) => create(who, what)),
  fc.nat(20).map(abort),
  fc.nat(20).map(destroy),
  fc.nat(20).map(destroy),
  fc.nat(20).map(lose),
  fc.tuple(template, fc.nat(warmMax)).map(([what, warm]) => resize(what, warm)),
  fc.tuple(template, fc.nat(9)).map(([what, version]) => update(what, version)),
  fc.integer({ min: 1, max: 40 }).map(pass),
  fc.integer({ min: 1, max: 40 }).map(pass),
]

test.each(['boot', 'wait'] as const)(
  "with onExhausted '%s': the budget holds, nobody is lost, nothing is given out twice, and in the end everybody is served",
  async (onExhausted) => {
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 40 }), async (run) => {
        await using pool = createFakePool({
          onExhausted,
          templates: { x: { warm: 2 }, y: {} },
          budget: { sandboxes: sandboxesMax },
          makingsAtOnceMax: 2,
        })
        const model: Model = { creates: [], sandboxes: new Map(), seen: new Set(), number: 0 }
        const real = { pool }
        await fc.asyncModelRun(() => ({ model, real }), run)
        // Whoever still waits is served as soon as there is room.
        const deadline = performance.now() + 10_000
        while (model.creates.some(({ state }) => state === 'pending') && performance.now() < deadline) {
          for (const sandbox of model.sandboxes.values()) await sandbox.destroy()
          model.sandboxes.clear()
          await aMoment(5)
        }
        expect(model.creates.filter(({ state }) => state === 'pending')).toEqual([])
        for (const sandbox of model.sandboxes.values()) await sandbox.destroy()
        expect(pool.stats()).toMatchObject({ waiting: 0, assigned: 0, byTenant: {} })
        check(real, model)
      }),
      { numRuns: 40, interruptAfterTimeLimit: 12_000, markInterruptAsFailure: false },
    )
  },
)
