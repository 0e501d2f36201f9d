/** Every program is written down before it starts, with who it is once it runs, and no more once it has ended. */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Journal, journalled } from '../../src/host/index.ts'
import { entryName, parseEntryName } from '../../src/host/journal/entry.ts'
import { identityOf, ownIdentity } from '../../src/host/process-identity.ts'
import type { Launched, Launcher } from '../../src/hypervisor/index.ts'
import { Scratch } from '../support/scratch.ts'
import { isRunning, outlivingLauncher, standIn } from '../support/stand-in.ts'

const isRoot = process.getuid?.() === 0
const entries = (scratch: Scratch) => readdirSync(scratch.join('journal')).map(parseEntryName)

async function end(launched: Launched): Promise<void> {
  launched.signal('SIGKILL')
  await launched.ended
}

test('before it starts, while it runs, and when it has ended', async () => {
  using scratch = new Scratch()
  const owner = await ownIdentity()
  const inner = await outlivingLauncher()
  const seen: unknown[] = []
  const watching: Launcher = {
    launch: (launch) => {
      seen.push(...entries(scratch))
      return inner.launch(launch)
    },
  }
  const launched = await journalled(watching, new Journal(scratch.hostPath)).launch(standIn('wc-one'))
  expect(seen).toEqual([{ id: 'wc-one', owner, program: undefined, nonce: expect.any(String) }])
  expect(entries(scratch)).toEqual([{ id: 'wc-one', owner, program: await identityOf(launched.pid), nonce: expect.any(String) }])
  expect(statSync(scratch.join('journal')).mode & 0o777).toBe(0o700)
  for (const name of readdirSync(scratch.join('journal')))
    expect(statSync(scratch.join(`journal/${name}`)).mode & 0o777).toBe(0o600)
  await end(launched)
  expect(entries(scratch)).toEqual([])
})

test('a program that cannot be started leaves no entry', async () => {
  using scratch = new Scratch()
  const launcher = journalled(await outlivingLauncher(), new Journal(scratch.hostPath))
  const missing = { ...standIn('wc-none'), program: { hostPath: '/nowhere/qemu', hostDataPaths: [] } }
  await expect(launcher.launch(missing)).rejects.toMatchObject({ code: 'BOOT_FAILED' })
  expect(entries(scratch)).toEqual([])
})

test('one that ends at once, before anybody could say who it is, leaves none either', async () => {
  using scratch = new Scratch()
  const launcher = journalled(await outlivingLauncher(), new Journal(scratch.hostPath))
  const launched = await launcher.launch({ ...standIn('wc-brief'), args: ['-c', 'exit 3'] })
  expect(await launched.ended).toEqual({ exitCode: 3, signal: null })
  expect(entries(scratch)).toEqual([])
})

test('several under one id are told apart', async () => {
  using scratch = new Scratch()
  const launcher = journalled(await outlivingLauncher(), new Journal(scratch.hostPath))
  const both = await Promise.all([launcher.launch(standIn('wc-same')), launcher.launch(standIn('wc-same'))])
  expect(new Set(entries(scratch).map((entry) => entry?.program?.pid))).toEqual(new Set(both.map(({ pid }) => pid)))
  await Promise.all(both.map(end))
  expect(entries(scratch)).toEqual([])
})

test('a directory that is cleared away meanwhile is made anew', async () => {
  using scratch = new Scratch()
  const inner = await outlivingLauncher()
  const clearing: Launcher = {
    launch: (launch) => {
      rmSync(scratch.join('journal'), { recursive: true })
      return inner.launch(launch)
    },
  }
  const journal = new Journal(scratch.hostPath)
  const first = await journalled(clearing, journal).launch(standIn('wc-1'))
  expect(entries(scratch)).toMatchObject([{ id: 'wc-1', program: { pid: first.pid } }])
  const second = await journalled(clearing, journal).launch(standIn('wc-2'))
  expect(entries(scratch)).toMatchObject([{ id: 'wc-2', program: { pid: second.pid } }])
  await Promise.all([end(first), end(second)])
  expect(entries(scratch)).toEqual([])
})

test('a program that cannot be named is ended', async () => {
  using scratch = new Scratch()
  const inner = await outlivingLauncher()
  let pid = 0
  const breaking: Launcher = {
    launch: async (launch) => {
      const launched = await inner.launch(launch)
      pid = launched.pid
      rmSync(scratch.join('journal'), { recursive: true })
      writeFileSync(scratch.join('journal'), '')
      return launched
    },
  }
  const launching = journalled(breaking, new Journal(scratch.hostPath)).launch(standIn('wc-unnamed'))
  await expect(launching).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED', hint: expect.stringContaining('stateDir') })
  expect(pid).toBeGreaterThan(0)
  expect(isRunning(pid)).toBe(false)
})

/** Counts what is started. */
function counting(): { launcher: Launcher; started: () => number } {
  let started = 0
  return {
    launcher: {
      launch: () => {
        started++
        return Promise.reject(new Error('started'))
      },
    },
    started: () => started,
  }
}

test('where the journal is a link, a file or open to others nothing is started', async () => {
  for (const spoil of [
    (path: string) => symlinkSync('/tmp', path),
    (path: string) => writeFileSync(path, ''),
    (path: string) => mkdirSync(path, { mode: 0o755 }),
  ]) {
    using scratch = new Scratch()
    spoil(scratch.join('journal'))
    const { launcher, started } = counting()
    const launching = journalled(launcher, new Journal(scratch.hostPath)).launch(standIn('wc-1'))
    await expect(launching).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED', retryable: false })
    expect(started()).toBe(0)
  }
})

test.runIf(isRoot)('where there is no inode left nothing is started, and once there is it is', async () => {
  using scratch = new Scratch()
  mkdirSync(scratch.join('state'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=4', 'warmcell-test', scratch.join('state')])
  try {
    const { launcher, started } = counting()
    const journal = new Journal(scratch.join('state'))
    await journal.prepare()
    for (const name of ['one', 'two']) writeFileSync(scratch.join(`state/${name}`), '')
    const full = journalled(launcher, journal).launch(standIn('wc-1'))
    await expect(full).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED', hint: expect.stringContaining('inode') })
    expect(started()).toBe(0)
    rmSync(scratch.join('state/one'))
    await expect(journalled(launcher, journal).launch(standIn('wc-1'))).rejects.toThrow('started')
    expect(readdirSync(scratch.join('state/journal'))).toEqual([])
  } finally {
    execFileSync('umount', [scratch.join('state')])
  }
  expect(existsSync(scratch.join('state/journal'))).toBe(false)
})

test.each([
  '',
  'garbage',
  'a.1-2-3.00000000.starting.',
  'a.1-2-3.0000000.starting',
  'a.0-2-3.00000000.starting',
  'a.1-2-3.00000000.',
  '%zz.1-2-3.00000000.starting',
  'a/b.1-2-3.00000000.starting',
])('%o is no entry', (name) => {
  expect(parseEntryName(name)).toBeUndefined()
})

test('an entry keeps any id within one name', () => {
  const owner = { pid: 7, startedAt: '5', boot: 'abc' }
  for (const id of ['wc-1', '../etc', 'a.b', 'ü ber/\n', '.', '%2F'])
    for (const program of [undefined, { ...owner, pid: 8 }]) {
      const name = entryName({ id, owner, program, nonce: '0123abcd' })
      expect(name).not.toMatch(/[/\n]/)
      expect(parseEntryName(name)).toEqual({ id, owner, program, nonce: '0123abcd' })
    }
})
