/** Whatever order things happen in, the journal says exactly what may run, and a reaper takes nothing from the living. */

import { readdirSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { deferred } from '../../src/common/deferred.ts'
import { Journal, journalled, microvmsLeft, ownIdentity, sweep } from '../../src/host/index.ts'
import { entryName, parseEntryName } from '../../src/host/journal/entry.ts'
import type { Launched, Launcher, VmEnd } from '../../src/hypervisor/index.ts'
import { recogniseVm } from '../../src/hypervisor/qemu/index.ts'
import { Scratch } from '../support/scratch.ts'
import { standIn } from '../support/stand-in.ts'

type Step =
  | { readonly type: 'launch'; readonly id: string; readonly outcome: 'runs' | 'is not started' | 'has ended' }
  | { readonly type: 'end'; readonly which: number }
  | { readonly type: 'left by a dead host'; readonly id: string; readonly named: boolean; readonly sameBoot: boolean }
  | { readonly type: 'reap'; readonly times: number }

const id = fc.constantFrom('wc-a', 'wc-b', 'wc-c')
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    type: fc.constant('launch' as const),
    id,
    outcome: fc.constantFrom('runs' as const, 'is not started' as const, 'has ended' as const),
  }),
  fc.record({ type: fc.constant('end' as const), which: fc.nat(7) }),
  fc.record({ type: fc.constant('left by a dead host' as const), id, named: fc.boolean(), sameBoot: fc.boolean() }),
  fc.record({ type: fc.constant('reap' as const), times: fc.integer({ min: 1, max: 3 }) }),
)

/** A pid that nobody can have: the kernel's limit is 2²². */
const nobody = 999_999_999

class World {
  readonly #scratch: Scratch
  readonly #launcher: Launcher
  readonly #running: { id: string; end: () => Promise<void> }[] = []
  #dead: string[] = []
  #outcome: 'runs' | 'is not started' | 'has ended' = 'runs'
  #ending = deferred<VmEnd>()
  #nonce = 0

  constructor(scratch: Scratch) {
    this.#scratch = scratch
    const inner: Launcher = {
      launch: async (): Promise<Launched> => {
        if (this.#outcome === 'is not started') throw new Error('not started')
        // This process itself stands for the program.
        const pid = this.#outcome === 'runs' ? process.pid : nobody
        return { pid, pipes: [], logTail: () => '', ended: this.#ending.promise, signal: () => {} }
      },
    }
    this.#launcher = journalled(inner, new Journal(scratch.hostPath))
  }

  async does(what: Step): Promise<void> {
    if (what.type === 'launch') await this.#launch(what.id, what.outcome)
    else if (what.type === 'end') await this.#running.splice(what.which, 1)[0]?.end()
    else if (what.type === 'reap') await this.#reap(what.times)
    else await this.#left(what.id, what.named, what.sameBoot)
    expect(this.#found()).toEqual([...this.#running.map(({ id }) => id), ...this.#dead].sort())
  }

  async #launch(id: string, outcome: 'runs' | 'is not started' | 'has ended'): Promise<void> {
    this.#outcome = outcome
    const ending = deferred<VmEnd>()
    this.#ending = ending
    const launching = this.#launcher.launch(standIn(id))
    if (outcome === 'is not started') {
      await expect(launching).rejects.toThrow('not started')
      return
    }
    const { ended } = await launching
    const end = async (): Promise<void> => {
      ending.resolve({ exitCode: 0, signal: null })
      await ended
    }
    this.#running.push({ id, end })
  }

  async #left(id: string, named: boolean, sameBoot: boolean): Promise<void> {
    const own = await ownIdentity()
    const owner = { ...own, pid: nobody, boot: sameBoot ? own.boot : '000000000000' }
    const nonce = (this.#nonce++).toString(16).padStart(8, '0')
    const program = named ? { ...owner, pid: nobody - 1 } : undefined
    this.#scratch.file(`journal/${entryName({ id, owner, program, nonce })}`, '', 0o600)
    this.#dead.push(id)
  }

  async #reap(times: number): Promise<void> {
    const reports = await Promise.all(
      Array.from({ length: times }, () => sweep([() => microvmsLeft(this.#scratch.hostPath, recogniseVm)])),
    )
    expect(reports.flatMap(({ removed }) => removed.map(({ name }) => name)).sort()).toEqual(this.#dead.sort())
    expect(reports.flatMap(({ left, failures }) => [...left, ...failures])).toEqual([])
    this.#dead = []
  }

  #found(): string[] {
    return readdirSync(this.#scratch.join('journal'))
      .map((name) => parseEntryName(name)?.id ?? name)
      .sort()
  }
}

test('a journal after any steps', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 16 }), async (steps) => {
      using scratch = new Scratch()
      await new Journal(scratch.hostPath).prepare()
      const world = new World(scratch)
      for (const what of steps) await world.does(what)
    }),
    { numRuns: 40 },
  )
})
