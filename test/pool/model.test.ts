/** Whatever is done to a pool, in whatever order: its promises hold. Model-based: the model is what a caller may expect, the real one is a pool over fake guests. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Sandbox, WarmcellError } from '../../src/index.ts'
import { createFakePool, type FakeGuest, type FakePool } from '../../src/testing/index.ts'

const sandboxesMax = 4
const warmMax = 3
/** Tenant `a` may have so many; the others as many as there is room for. */
const cap = 2

interface Create {
  readonly number: number
  readonly tenant: string
  readonly template: string
  readonly abort: AbortController
  state: 'pending' | 'served' | 'failed'
}

/** How a create may fail: given up, a guest that was lost in the making too often, a cap, the end of the pool. */
const failures: ReadonlySet<unknown> = new Set(['BOOT_FAILED', 'TENANT_LIMIT', 'POOL_CLOSED'])

/** What a caller knows. */
interface Model {
  readonly creates: Create[]
  readonly sandboxes: Map<string, Sandbox>
  /** Ids that were handed out. */
  readonly seen: Set<string>
  /** Ids whose end the pool has told. */
  readonly ended: Set<string>
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
  expect(pool.listSandboxes({ tenant: 'a' }).length).toBeLessThanOrEqual(cap)
  // What was told to have ended is not listed, and what is listed was handed out, or is about to be.
  for (const { id } of pool.listSandboxes()) expect(model.ended.has(id)).toBe(false)
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
        // It has never served: nobody has left anything in it. (One that was lost just now has no guest to look into.)
        const files = pool.guests.find(({ id }) => id === sandbox.id)?.files
        expect(files?.has('/used') ?? false).toBe(false)
        files?.set('/used', Buffer.from(sandbox.id))
        model.sandboxes.set(sandbox.id, sandbox)
      },
      (error: unknown) => {
        entry.state = 'failed'
        expect(error === 'given up' || (WarmcellError.is(error) && failures.has(error.code))).toBe(true)
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

const destroyById = (which: number): Step =>
  step(`destroy ${which} by its id`, async ({ sandboxes, seen }, pool) => {
    const id = [...seen][which % Math.max(1, seen.size)] ?? 'nobody'
    const alive = pool.getSandbox(id)?.state === 'running'
    const destroyed = await pool.destroySandbox(id)
    if (alive) expect(destroyed).toBe(true)
    sandboxes.delete(id)
    expect(pool.getSandbox(id)).toBeUndefined()
    expect(await pool.destroySandbox(id)).toBe(false)
  })

const expire = (which: number): Step =>
  step(`let ${which} expire`, ({ sandboxes }) => {
    const sandbox = [...sandboxes.values()][which % Math.max(1, sandboxes.size)]
    if (sandbox?.state === 'running') sandbox.extendTimeout(1)
  })

/** A guest says what no guest may say: its sandbox is lost, or whoever is making it makes another one. */
const breakRule = (which: number): Step =>
  step(`break a rule in ${which}`, (_, pool) => {
    const guest: FakeGuest | undefined = pool.guests[which % Math.max(1, pool.guests.length)]
    guest?.sendRaw(Buffer.from('no frame, but thirteen bytes'))
  })

const damage = (how: 'truncated' | 'removed'): Step =>
  step(`damage the templates: ${how}`, (_, pool) => pool.damageTemplates(how))

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
  fc.nat(20).map(destroyById),
  fc.nat(20).map(expire),
  fc.nat(20).map(lose),
  fc.nat(20).map(breakRule),
  fc.constantFrom('truncated' as const, 'removed' as const).map(damage),
  fc.tuple(template, fc.nat(warmMax)).map(([what, warm]) => resize(what, warm)),
  fc.tuple(template, fc.nat(9)).map(([what, version]) => update(what, version)),
  fc.integer({ min: 1, max: 40 }).map(pass),
  fc.integer({ min: 1, max: 40 }).map(pass),
]

function begin(onExhausted: 'boot' | 'wait'): { pool: FakePool; model: Model } {
  const pool = createFakePool({
    onExhausted,
    templates: { x: { warm: 2 }, y: {} },
    budget: { sandboxes: sandboxesMax },
    tenants: { a: { sandboxes: cap } },
    makingsAtOnceMax: 2,
  })
  const model: Model = { creates: [], sandboxes: new Map(), seen: new Set(), ended: new Set(), number: 0 }
  pool.on('destroyed', ({ id }) => {
    // Once each.
    expect(model.ended.has(id)).toBe(false)
    model.ended.add(id)
  })
  return { pool, model }
}

const pending = ({ creates }: Model): Create[] => creates.filter(({ state }) => state === 'pending')

test.each(['boot', 'wait'] as const)(
  "with onExhausted '%s': the budget holds, nobody is lost, nothing is given out twice, and in the end everybody is served",
  async (onExhausted) => {
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 40 }), async (run) => {
        const { pool, model } = begin(onExhausted)
        await using real = { pool, [Symbol.asyncDispose]: () => pool.close() }
        await fc.asyncModelRun(() => ({ model, real }), run)
        // Whoever still waits is served as soon as there is room.
        const deadline = performance.now() + 10_000
        while (pending(model).length > 0 && performance.now() < deadline) {
          for (const sandbox of model.sandboxes.values()) await sandbox.destroy()
          model.sandboxes.clear()
          await aMoment(5)
        }
        expect(pending(model)).toEqual([])
        for (const sandbox of model.sandboxes.values()) await sandbox.destroy()
        expect(pool.stats()).toMatchObject({ waiting: 0, assigned: 0, byTenant: {} })
        // The end of each that was handed out was told, and of nothing else.
        expect([...model.ended].filter((id) => model.seen.has(id)).sort()).toEqual([...model.seen].sort())
        check(real, model)
      }),
      { numRuns: 40, interruptAfterTimeLimit: 12_000, markInterruptAsFailure: false },
    )
  },
)

test.each(['boot', 'wait'] as const)(
  "with onExhausted '%s': a close in the middle of anything settles every create, and leaves no guest",
  async (onExhausted) => {
    const ways = fc.constantFrom(
      { mode: 'destroy' as const },
      { mode: 'drain' as const, timeoutMs: 0 },
      { mode: 'drain' as const, timeoutMs: 20 },
    )
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 25 }), ways, fc.boolean(), async (run, way, twice) => {
        const { pool, model } = begin(onExhausted)
        await fc.asyncModelRun(() => ({ model, real: { pool } }), run)
        await Promise.all([pool.close(way), twice ? pool.close() : undefined])
        await aMoment(5)
        expect(pending(model)).toEqual([])
        expect(pool.guests).toEqual([])
        expect(pool.listSandboxes()).toEqual([])
        expect([...model.seen].filter((id) => !model.ended.has(id))).toEqual([])
        await expect(pool.createSandbox()).rejects.toMatchObject({ code: 'POOL_CLOSED' })
        await pool.close()
      }),
      { numRuns: 30, interruptAfterTimeLimit: 12_000, markInterruptAsFailure: false },
    )
  },
)
