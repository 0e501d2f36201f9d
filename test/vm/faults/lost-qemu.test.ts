/** A QEMU that is killed or stopped at any phase of its life: whoever waits is served by another or told within seconds, and the stock recovers. */

import { once } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import type { FailureReason, Sandbox, SandboxGoneError } from '../../../src/index.ts'
import type { MachinePool } from '../../../src/pool/index.ts'
import { effort, within } from '../../support/effort.ts'
import { vmProcesses } from '../vm.ts'
import { phasedPool, placeOfThisFile, Striker, small } from './faulty-pool.ts'
import { type Phase, word } from './phases.ts'

/** What is done to it, how often, and how long its users may be left waiting: 2 s are promised of one that is killed, 5 s of one that is stopped. */
const fates = [
  { fate: 'killed', signal: 'SIGKILL', turns: effort(2, 20), limitMs: 10_000, detail: /its microVM ended by itself/ },
  { fate: 'stopped', signal: 'SIGSTOP', turns: effort(1, 5), limitMs: 15_000, detail: /stopped by a signal from outside/ },
] as const

/** Of all turns together. */
vi.setConfig({ testTimeout: effort(120_000, 900_000) })

const stateDirectory = placeOfThisFile()

describe.each(fates)('a QEMU that is $fate', ({ fate, signal, turns, limitMs, detail }) => {
  const strike = (id: string): void => {
    let pids = vmProcesses(id)
    // A process that is about to become QEMU has no command line for a moment.
    for (let looks = 0; pids.length === 0 && looks < 1_000; looks++) pids = vmProcesses(id)
    for (const pid of pids) process.kill(pid, signal)
  }

  /** So many times over one pool, with so many kept warm. */
  async function repeatedly(warm: number, work: (pool: MachinePool, striker: Striker) => Promise<void>): Promise<void> {
    const striker = new Striker()
    await using pool = await phasedPool(stateDirectory(), { base: { ...small, warm } }, striker.at)
    for (let turn = 0; turn < turns; turn++) {
      await pool.ready()
      await work(pool, striker)
      if (striker.struck !== undefined) await expect.poll(() => vmProcesses(striker.struck), { timeout: limitMs }).toEqual([])
      for (const { id } of pool.listSandboxes()) await pool.destroySandbox(id)
    }
    await within(limitMs, 'the stock', pool.ready())
    await pool.close()
    expect(vmProcesses()).toEqual([])
  }

  const lost = (pool: MachinePool, reason: FailureReason): number => pool.stats().failures[reason] ?? 0

  const making: [Phase, FailureReason][] = [
    ['spawned', 'park'],
    ['answered', 'clone'],
    ['loading', 'clone'],
    ['loaded', 'clone'],
    ['identity', 'clone'],
  ]
  // One that is stopped takes seconds to be found.
  const usual = fate === 'killed' ? making : making.filter(([phase]) => phase === 'spawned' || phase === 'identity')
  it.each(effort(usual, making))(`while %s: the create gets another`, async (phase, reason) => {
    await repeatedly(0, async (pool, striker) => {
      const before = lost(pool, reason)
      striker.next(phase, strike)
      const sandbox = await within(limitMs, 'the create', pool.createSandbox())
      expect(striker.struck).toBeDefined()
      expect(sandbox.id).not.toBe(striker.struck)
      expect((await sandbox.exec(['echo', 'served'])).stdout).toBe('served\n')
      expect(lost(pool, reason)).toBe(before + 1)
    })
  })

  // While it is paused, one more stop is none.
  const inStock: [Phase, FailureReason][] = [
    ['exercising', 'exercise'],
    ...(fate === 'killed'
      ? ([
          ['resting', 'exercise'],
          ['stocked', 'warm-ended'],
        ] as [Phase, FailureReason][])
      : []),
  ]
  it.each(inStock)('while %s: the stock gets another', async (phase, reason) => {
    await repeatedly(1, async (pool, striker) => {
      const before = lost(pool, reason)
      striker.next(phase, strike)
      await within(limitMs, 'the create', pool.createSandbox())
      await expect.poll(() => lost(pool, reason), { timeout: limitMs }).toBe(before + 1)
      await within(limitMs, 'the stock', pool.ready())
      expect(pool.stats().warm).toBe(1)
    })
  })

  it('while waking: the create gets another', async () => {
    await repeatedly(1, async (pool, striker) => {
      const before = lost(pool, 'wake')
      striker.next('waking', strike)
      const sandbox = await within(limitMs, 'the create', pool.createSandbox())
      expect(sandbox.id).not.toBe(striker.struck)
      expect(lost(pool, 'wake')).toBe(before + 1)
    })
  })

  it('while binding: the create is told, and nothing is left of it', async () => {
    await repeatedly(0, async (pool, striker) => {
      striker.next('binding', strike)
      // More than is sent before the guest has answered: it cannot be whole when it is struck.
      const files = { [word('binding')]: Buffer.alloc(4_194_304) }
      const creating = pool.createSandbox({ tenant: 'alice', files })
      const error = await within(
        limitMs,
        'the create',
        creating.catch((thrown: unknown) => thrown),
      )
      expect(error).toMatchObject({ code: 'GUEST_UNREACHABLE', retryable: true, sandboxId: striker.struck })
      expect(pool.stats()).toMatchObject({ assigned: 0, waiting: 0, byTenant: {} })
    })
  })

  /** What a sandbox's owner is told. */
  function expectGone(error: unknown): void {
    expect(error).toMatchObject({ code: 'SANDBOX_GONE', reason: 'crash', retryable: false })
    expect((error as SandboxGoneError).message).toMatch(detail)
  }

  it.each<[Phase, (sandbox: Sandbox, striker: Striker) => Promise<unknown>]>([
    [
      'exec',
      (sandbox, striker) => {
        striker.next('exec', strike)
        return sandbox.exec(`echo ${word('exec')}; sleep 60`)
      },
    ],
    [
      'streaming',
      async (sandbox, striker) => {
        const flood = await sandbox.spawn(['yes'])
        const reader = flood.stdout.getReader()
        await reader.read()
        striker.next('streaming', strike)
        await striker.at('streaming', sandbox.id)
        const [ended] = await Promise.all([
          flood.wait().catch((error: unknown) => error),
          // The reader is told as well, once it has read what had come by then.
          (async () => {
            while (!(await reader.read()).done);
          })().then(
            () => expect.unreachable('the stream ended as if nothing had happened'),
            () => {},
          ),
        ])
        throw ended
      },
    ],
    [
      'idle',
      async (sandbox, striker) => {
        const destroyed = new Promise((resolve) => sandbox.once('destroyed', resolve))
        striker.next('idle', strike)
        await striker.at('idle', sandbox.id)
        expect(await destroyed).toBe('crash')
        return sandbox.exec('true')
      },
    ],
  ])('while %s: its owner is told', async (_phase, work) => {
    await repeatedly(0, async (pool, striker) => {
      const sandbox = await pool.createSandbox({ tenant: 'alice' })
      expectGone(
        await within(
          limitMs,
          'the call',
          work(sandbox, striker).catch((error: unknown) => error),
        ),
      )
      expect(striker.struck).toBe(sandbox.id)
      expect(sandbox.state).toBe('crashed')
      expect(pool.stats()).toMatchObject({ assigned: 0, byTenant: {} })
    })
  })

  it('while destroying: it is destroyed', async () => {
    await repeatedly(0, async (pool, striker) => {
      const sandbox = await pool.createSandbox()
      const destroyed = once(pool as never, 'destroyed')
      striker.next('destroying', strike)
      await within(limitMs, 'destroy', sandbox.destroy())
      expect(vmProcesses(sandbox.id)).toEqual([])
      expect((await destroyed)[1]).toBe('requested')
    })
  })
})
