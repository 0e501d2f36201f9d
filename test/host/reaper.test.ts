/** What a killed host has left is removed, whenever it was killed, and nothing of anybody else is touched. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { leftBehind, microvmsLeft, type ReapReport, sweep, sweepInPassing, temporaryFilesLeft } from '../../src/host/index.ts'
import { entryName } from '../../src/host/journal/entry.ts'
import { ticketsLeft } from '../../src/host/lock.ts'
import { identityOf, ownIdentity, type ProcessIdentity } from '../../src/host/process-identity.ts'
import { recogniseVm } from '../../src/hypervisor/qemu/index.ts'
import { linesOf, startProgram } from '../support/program.ts'
import { Scratch } from '../support/scratch.ts'
import { isRunning, outlivingLauncher, standIn } from '../support/stand-in.ts'

const isRoot = process.getuid?.() === 0
const reap = ({ hostPath }: Scratch): Promise<ReapReport> => sweep([() => microvmsLeft(hostPath, recogniseVm)])
const nothing: ReapReport = { removed: [], left: [], failures: [] }

/** No test may leave a stand-in behind when it fails. */
const standIns = new Set<number>()
afterEach(() => {
  for (const pid of standIns) if (isRunning(pid)) process.kill(pid, 'SIGKILL')
  standIns.clear()
})

async function startHost({ hostPath }: Scratch, id: string, phase: string): Promise<{ host: ChildProcess; pid: number }> {
  const host = startProgram('journal-host.ts', hostPath, id, phase)
  const pid = Number((await linesOf(host).next()).value)
  if (pid > 0) standIns.add(pid)
  return { host, pid }
}

async function kill(host: ChildProcess): Promise<void> {
  host.kill('SIGKILL')
  await once(host, 'close')
}

/** A stand-in of this process, which lives on; what of it is journalled is the test's to say. */
async function ownStandIn(id: string, before: string[] = []): Promise<{ pid: number; end: () => Promise<void> }> {
  const launched = await (await outlivingLauncher()).launch(standIn(id, before))
  standIns.add(launched.pid)
  const end = async (): Promise<void> => {
    launched.signal('SIGKILL')
    await launched.ended
  }
  return { pid: launched.pid, end }
}

/** The identity of one that has died. */
async function dead(): Promise<ProcessIdentity> {
  const child = spawn('true')
  const closed = once(child, 'close')
  const identity = (await identityOf(child.pid as number)) ?? {
    ...(await ownIdentity()),
    pid: child.pid as number,
    startedAt: '5',
  }
  await closed
  return identity
}

function write(scratch: Scratch, id: string, owner: ProcessIdentity, program?: ProcessIdentity): string {
  if (!existsSync(scratch.join('journal'))) mkdirSync(scratch.join('journal'), { mode: 0o700 })
  return scratch.file(`journal/${entryName({ id, owner, program, nonce: '01234567' })}`, '', 0o600)
}

describe.runIf(process.platform === 'linux')('a host killed', { timeout: 120_000 }, () => {
  test.each([
    ['not begun', []],
    ['written down, not started', ['entry']],
    ['started, not named', ['microvm']],
    ['running', ['microvm']],
    ['ended, not removed', ['entry']],
  ])('when its microVM is: %s', async (phase, kinds) => {
    using scratch = new Scratch()
    const { host, pid } = await startHost(scratch, 'wc-killed', phase)
    expect(await reap(scratch)).toEqual(nothing)
    await kill(host)
    if (kinds[0] === 'microvm') expect(isRunning(pid)).toBe(true)
    expect((await leftBehind([() => microvmsLeft(scratch.hostPath, recogniseVm)])).map(({ kind }) => kind)).toEqual(kinds)
    const removed = kinds.map((kind) => ({ kind, name: 'wc-killed', ownerPid: host.pid }))
    expect(await reap(scratch)).toEqual({ ...nothing, removed })
    expect(isRunning(pid)).toBe(false)
    expect(existsSync(scratch.join('journal')) ? readdirSync(scratch.join('journal')) : []).toEqual([])
    expect(await reap(scratch)).toEqual(nothing)
  })

  test('another on the same state directory lives on, and so does what is its', async () => {
    using scratch = new Scratch()
    const [one, two] = await Promise.all([startHost(scratch, 'wc-one', 'running'), startHost(scratch, 'wc-two', 'running')])
    await kill(one.host)
    expect((await reap(scratch)).removed.map(({ name }) => name)).toEqual(['wc-one'])
    expect([isRunning(one.pid), isRunning(two.pid)]).toEqual([false, true])
    expect(readdirSync(scratch.join('journal'))).toEqual([expect.stringContaining('wc-two')])
    await kill(two.host)
    expect((await reap(scratch)).removed.map(({ name }) => name)).toEqual(['wc-two'])
    expect(isRunning(two.pid)).toBe(false)
  })

  test('two reapers at once remove everything once', async () => {
    using scratch = new Scratch()
    const ids = ['wc-1', 'wc-2', 'wc-3', 'wc-4']
    const phases = ['running', 'started, not named']
    const hosts = await Promise.all(ids.map((id, index) => startHost(scratch, id, phases[index % 2] ?? '')))
    await Promise.all(hosts.map(({ host }) => kill(host)))
    const reports = await Promise.all([reap(scratch), reap(scratch), reap(scratch)])
    expect(reports.flatMap(({ removed }) => removed.map(({ name }) => name)).sort()).toEqual(ids)
    expect(reports.flatMap(({ left, failures }) => [...left, ...failures])).toEqual([])
    expect(hosts.filter(({ pid }) => isRunning(pid))).toEqual([])
  })
})

describe.runIf(process.platform === 'linux')('never signalled is', () => {
  test('a stranger who has the pid of a microVM by now', async () => {
    using scratch = new Scratch()
    const { pid, end } = await ownStandIn('wc-reused')
    const now = (await identityOf(pid)) as ProcessIdentity
    write(scratch, 'wc-reused', await dead(), { ...now, startedAt: String(Number(now.startedAt) - 1) })
    expect((await reap(scratch)).removed).toMatchObject([{ kind: 'entry', name: 'wc-reused' }])
    expect(isRunning(pid)).toBe(true)
    await end()
  })

  test('one whose identity is in the journal, and whose command line is not that of the microVM', async () => {
    using scratch = new Scratch()
    const { pid, end } = await ownStandIn('wc-other')
    const hostPath = write(scratch, 'wc-this', await dead(), await identityOf(pid))
    const { removed, left } = await reap(scratch)
    expect(removed).toEqual([])
    expect(left).toMatchObject([
      { kind: 'microvm', name: 'wc-this', reason: `the process ${pid} does not look like it any more` },
    ])
    expect([isRunning(pid), existsSync(hostPath)]).toEqual([true, true])
    await end()
    expect((await reap(scratch)).removed).toHaveLength(1)
  })

  test('a microVM of another id, when nothing was named yet', async () => {
    using scratch = new Scratch()
    const { pid, end } = await ownStandIn('wc-mine-2')
    write(scratch, 'wc-mine', await dead())
    expect((await reap(scratch)).removed).toMatchObject([{ kind: 'entry', name: 'wc-mine' }])
    expect(isRunning(pid)).toBe(true)
    await end()
  })

  test('anybody for an entry of another boot', async () => {
    using scratch = new Scratch()
    const { pid, end } = await ownStandIn('wc-boot')
    const boot = '000000000000'
    write(scratch, 'wc-boot', { ...(await ownIdentity()), boot }, { ...((await identityOf(pid)) as ProcessIdentity), boot })
    write(scratch, 'wc-boot', { ...(await dead()), boot })
    expect((await reap(scratch)).removed).toHaveLength(2)
    expect(isRunning(pid)).toBe(true)
    await end()
  })

  test.runIf(isRoot)('anybody for an entry that another user has made, a link or a directory', async () => {
    using scratch = new Scratch()
    const { pid, end } = await ownStandIn('wc-odd')
    const [owner, program] = [await dead(), await identityOf(pid)]
    chownSync(write(scratch, 'wc-odd', owner, program), 12_345, 12_345)
    const name = (nonce: string): string => scratch.join(`journal/${entryName({ id: 'wc-odd', owner, program, nonce })}`)
    symlinkSync('/etc/passwd', name('aaaaaaaa'))
    mkdirSync(name('bbbbbbbb'))
    writeFileSync(scratch.join('journal/notes.txt'), 'mine')
    const { removed, left } = await reap(scratch)
    expect(removed).toEqual([])
    expect(left.map(({ reason }) => reason).sort()).toEqual([
      'it belongs to the user 12345',
      'it is no entry of the journal',
      'it is not a file',
      'it is not a file',
    ])
    expect(isRunning(pid)).toBe(true)
    expect(readdirSync(scratch.join('journal'))).toHaveLength(4)
    expect(await leftBehind([() => microvmsLeft(scratch.hostPath, recogniseVm)])).toEqual([])
    await end()
  })

  test('anybody for a journal that others may write to', async () => {
    using scratch = new Scratch()
    const { pid, end } = await ownStandIn('wc-open')
    mkdirSync(scratch.join('journal'), { mode: 0o755 })
    write(scratch, 'wc-open', await dead(), await identityOf(pid))
    expect(await reap(scratch)).toEqual({ ...nothing, failures: [expect.stringContaining('others may use')] })
    expect(isRunning(pid)).toBe(true)
    await end()
  })
})

test.runIf(process.platform === 'linux')(
  'what was killed while it started a microVM is found by the words it has behind a `--`',
  async () => {
    using scratch = new Scratch()
    const { pid, end } = await ownStandIn('wc-wrapped', ['bwrap', '--', 'qemu'])
    write(scratch, 'wc-wrapped', await dead())
    expect((await reap(scratch)).removed).toMatchObject([{ kind: 'microvm', name: 'wc-wrapped' }])
    expect(isRunning(pid)).toBe(false)
    await end()
  },
)

test('a journal that is not there has nothing, and is not made', async () => {
  using scratch = new Scratch()
  expect(await reap(scratch)).toEqual(nothing)
  expect(readdirSync(scratch.hostPath)).toEqual([])
})

test('what fails stops nothing else', async () => {
  const removed: string[] = []
  const leftover = (name: string, remove: () => Promise<boolean>) => ({ kind: 'file' as const, name, remove })
  const report = await sweep([
    () => Promise.reject(new Error('no such luck')),
    async () => [
      leftover('one', () => Promise.reject(new Error('it is stuck'))),
      leftover('two', async () => removed.push('two') > 0),
      leftover('three', async () => false),
    ],
  ])
  expect(report).toEqual({
    removed: [{ kind: 'file', name: 'two' }],
    left: [{ kind: 'file', name: 'one', reason: 'it is stuck' }],
    failures: ['no such luck.'],
  })
})

test('in passing what fails is no failure, and is told once', async () => {
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning)
  process.on('warning', onWarning)
  const broken = [() => Promise.reject(new Error('the journal is a symbolic link'))]
  await sweepInPassing([async () => []])
  await sweepInPassing(broken)
  await sweepInPassing(broken)
  await new Promise((resolve) => setImmediate(resolve))
  process.removeListener('warning', onWarning)
  expect(warnings).toMatchObject([{ code: 'WARMCELL_REAP', message: expect.stringContaining('the journal is a symbolic link.') }])
})

test('tickets and half-written files go with their owners, and only then', async () => {
  using scratch = new Scratch()
  const text = ({ pid, startedAt, boot }: ProcessIdentity): string => `${pid}-${startedAt}-${boot}`
  const [gone, here] = [text(await dead()), text(await ownIdentity())]
  const stays = [`.trial.${here}.01234567`, `probe.json.${here}.01234567`, 'probe.json', '.trial', `other.${gone}.01234567`]
  const goes = [`.trial.${gone}.01234567`, `probe.json.${gone}.01234567`]
  for (const name of [...stays, ...goes]) scratch.file(name, '')
  for (const owner of [gone, here]) scratch.file(`locks/abc.1.${owner}.0123456789ab`, '')
  const report = await sweep([() => temporaryFilesLeft(scratch.hostPath), () => ticketsLeft(scratch.join('locks'))])
  expect(report.removed.map(({ kind, name }) => [kind, name.slice(scratch.hostPath.length + 1)]).sort()).toEqual(
    [...goes.map((name) => ['file', name]), ['ticket', `locks/abc.1.${gone}.0123456789ab`]].sort(),
  )
  expect(readdirSync(scratch.hostPath).sort()).toEqual([...stays, 'locks'].sort())
  expect(readdirSync(scratch.join('locks'))).toEqual([`abc.1.${here}.0123456789ab`])
})
