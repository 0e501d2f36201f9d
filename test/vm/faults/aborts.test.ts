/** A call that is given up, whenever that is: it rejects with the caller's reason or had come to its end, and nothing is left of it. */

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTemplates, type Sandbox, WarmcellError } from '../../../src/index.ts'
import { effort, within } from '../../support/effort.ts'
import { Scratch } from '../../support/scratch.ts'
import { poolOfThisFile, sandboxOfThisFile, vmProcesses } from '../vm.ts'
import { phasedPool, placeOfThisFile, Striker, small } from './faulty-pool.ts'
import { clonePhases, type Phase, templatePhases, word } from './phases.ts'

const limitMs = 15_000

/** After so many turns of the event loop a call is given up: at first each of them, for that is where its awaits are. */
const turns = effort(
  [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144],
  [...Array(60).keys(), 75, 100, 150, 200, 300, 500, 800, 1_300, 2_000],
)

/** What came of it: 'given up', 'served', or what it failed with instead. */
async function abortedAfter(count: number, call: (signal: AbortSignal) => Promise<unknown>): Promise<string> {
  const abort = new AbortController()
  const reason = new Error('changed my mind')
  const outcome = call(abort.signal).then(
    () => 'served',
    (error: unknown) =>
      error === reason ? 'given up' : WarmcellError.is(error) ? `${error.code}: ${error.message}` : String(error),
  )
  for (let done = 0; done < count; done++) await turn()
  abort.abort(reason)
  return within(limitMs, `given up after ${count} turns`, outcome)
}

describe('a create', () => {
  const stateDirectory = placeOfThisFile()

  const ofStock: Phase[] = ['exercising', 'resting', 'stocked', 'waking']
  const beforeHandedOver = (Object.keys(clonePhases) as Phase[]).slice(0, Object.keys(clonePhases).indexOf('binding') + 1)
  it.each(beforeHandedOver.filter((phase) => !ofStock.includes(phase)))(
    'given up while a microVM for it is in the phase %s: nothing is left when it rejects',
    async (phase) => {
      const striker = new Striker()
      await using pool = await phasedPool(stateDirectory(), { base: small }, striker.at)
      const abort = new AbortController()
      striker.next(phase, () => abort.abort('changed my mind'))
      const creating = pool.createSandbox({ signal: abort.signal, files: { [word('binding')]: 'x' } })
      await expect(within(limitMs, 'the create', creating)).rejects.toBe('changed my mind')
      expect(striker.struck).toBeDefined()
      expect(vmProcesses(striker.struck)).toEqual([])
      expect(pool.stats()).toMatchObject({ waiting: 0, assigned: 0, booting: 0 })
    },
  )

  it('given up while a warm one is waking for it: that one is gone, and the stock is filled up', async () => {
    const striker = new Striker()
    await using pool = await phasedPool(stateDirectory(), { base: { ...small, warm: 1 } }, striker.at)
    await pool.ready()
    const abort = new AbortController()
    striker.next('waking', () => abort.abort('changed my mind'))
    await expect(within(limitMs, 'the create', pool.createSandbox({ signal: abort.signal }))).rejects.toBe('changed my mind')
    expect(vmProcesses(striker.struck)).toEqual([])
    await within(limitMs, 'the stock', pool.ready())
  })

  it.each(Object.keys(templatePhases) as Phase[])(
    'of a template by name, given up in its phase %s: no draft and no process is left',
    async (phase) => {
      const striker = new Striker()
      const setup = [`echo ${word('setup')} ${phase}; sleep 0.2`]
      await using pool = await phasedPool(stateDirectory(), { base: small }, striker.at)
      const abort = new AbortController()
      striker.next(phase, () => abort.abort('changed my mind'))
      await expect(
        within(limitMs, 'the update', pool.updateTemplate('mine', { ...small, setup }, { signal: abort.signal })),
      ).rejects.toBe('changed my mind')
      await expect.poll(() => vmProcesses(), { timeout: limitMs }).toEqual([])
      await expect.poll(() => drafts(process.env.WARMCELL_TEMPLATE_DIR ?? ''), { timeout: limitMs }).toEqual([])
      expect(
        (await (await openTemplates({ isolation: 'emulated', stateDir: stateDirectory() })).list()).map(({ name }) => name),
      ).not.toContain('mine')
    },
  )

  const drafts = (hostPath: string): string[] =>
    readdirSync(hostPath, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('.new.'))
})

describe('a call to a sandbox', () => {
  const pool = poolOfThisFile({ templates: { base: small } })
  const sandbox = sandboxOfThisFile(pool)
  let scratch: Scratch
  beforeAll(() => {
    scratch = new Scratch()
    mkdirSync(scratch.join('tree'))
    for (let index = 0; index < 20; index++) writeFileSync(scratch.join(`tree/${index}`), 'x'.repeat(10_000))
  })
  afterAll(() => scratch[Symbol.dispose]())

  const big = Buffer.alloc(400_000, 'b')
  let serial = 0
  it.each<[string, (sandbox: Sandbox, signal: AbortSignal) => Promise<unknown>]>([
    ['exec', (box, signal) => box.exec('cat; sleep 0.05', { signal, stdin: big, killGraceMs: 0 })],
    ['spawn', async (box, signal) => void (await (await box.spawn('sleep 0.05', { signal, killGraceMs: 0 })).wait())],
    [
      'wait',
      async (box, signal) => {
        await using process = await box.spawn('sleep 0.05')
        await process.wait({ signal })
      },
    ],
    [
      'a terminal',
      async (box, signal) => {
        const terminal = await box.pty.create({ command: ['sh', '-c', 'sleep 0.05'] })
        try {
          await terminal.wait({ signal })
        } finally {
          await terminal[Symbol.asyncDispose]()
        }
      },
    ],
    ['usage', (box, signal) => box.usage({ signal })],
    ['write', (box, signal) => box.files.write(`/tmp/w/${serial++}`, big, { signal })],
    ['read', (box, signal) => box.files.read('/tmp/there', { signal })],
    ['list', (box, signal) => box.files.list('/etc', { signal, depth: 3 })],
    [
      'a watch',
      async (box, signal) => {
        for await (const _event of box.files.watch('/tmp', { signal })) break
      },
    ],
    ['upload', (box, signal) => box.files.upload(scratch.join('tree'), `/tmp/u/${serial++}`, { signal })],
    ['download', (box, signal) => box.files.download('/tmp/tree', scratch.join(`out-${serial++}`), { signal })],
    ['waitFor', (box, signal) => box.ports.waitFor(9_999, { signal })],
    ['connect', async (box, signal) => (await box.ports.connect(7_000, { signal })).destroy()],
  ])('given up after any number of turns: %s', { timeout: 300_000 }, async (name, call) => {
    await sandbox().files.write('/tmp/there', big)
    if (name === 'download') await sandbox().files.upload(scratch.join('tree'), '/tmp/tree')
    const server = name === 'connect' ? await sandbox().spawn(['nc', '-ll', '-p', '7000', '-e', 'cat']) : undefined
    if (server !== undefined) await sandbox().ports.waitFor(7_000)
    const outcomes = new Map<string, number>()
    for (const count of turns) {
      const outcome = await abortedAfter(count, (signal) => call(sandbox(), signal))
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    expect([...outcomes.keys()].filter((outcome) => outcome !== 'given up' && outcome !== 'served')).toEqual([])
    expect(outcomes.get('given up')).toBeGreaterThan(0)
    await server?.kill('SIGKILL')
    // Nothing runs on in the guest, nothing half written is left in it, and nothing half downloaded is left here.
    await expect.poll(async () => (await sandbox().processes.list()).length, { timeout: limitMs }).toBe(0)
    const left = await sandbox().exec(
      "ls -A /tmp /tmp/w /tmp/u 2>/dev/null | grep -i '^[.]' ; ps -o args | grep -c '[s]leep 0.05'",
    )
    expect(left.stdout).toBe('0\n')
    expect(readdirSync(scratch.hostPath).filter((file) => !/^(tree|out-\d+)$/.test(file))).toEqual([])
    for (const out of readdirSync(scratch.hostPath).filter((file) => file.startsWith('out-')))
      expect(readdirSync(scratch.join(out))).toHaveLength(20)
    expect((await sandbox().exec(['echo', 'well'])).stdout).toBe('well\n')
  })
})
