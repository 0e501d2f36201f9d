/** What a host does not offer is found by trying, left out, and said; what it does offer holds all the same. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { assertConfined, type Confinement, confine, infoOf, noteGaps } from '../../../src/host/index.ts'
import { Scratch } from '../../support/scratch.ts'
import { Canary } from './canary.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

/** A PATH with nothing on it but these, and what stands there already. */
function onlyWith(scratch: Scratch, ...tools: string[]): void {
  const bin = scratch.join('bin')
  mkdirSync(bin, { recursive: true })
  for (const tool of tools)
    symlinkSync(execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim(), `${bin}/${tool}`)
  vi.stubEnv('PATH', bin)
}

const parts = ({ missing }: Confinement): string[] => missing.map(({ part }) => part)

test('without bubblewrap a microVM sees its host, and the rest still holds', async () => {
  using scratch = new Scratch()
  await Canary.hatch(scratch)
  onlyWith(scratch, 'prlimit', 'setpriv', 'sh')
  const confinement = await confine({ hostPath: scratch.join('canary'), hostDataPaths: [] }, scratch.join('programs'))
  expect(parts(confinement)).toEqual(expect.arrayContaining(['file-system', 'namespaces', 'system-calls']))
  expect(confinement.held).toEqual(expect.arrayContaining(['capabilities', 'privileges', 'limits', 'parent']))
  expect(confinement.missing[0]).toMatchObject({
    detail: expect.stringContaining('there is no bwrap'),
    fix: expect.stringContaining('bubblewrap'),
  })
  const launched = await confinement.launcher.launch({
    ...{ id: 'wc-bare', program: { hostPath: scratch.join('canary'), hostDataPaths: [] }, args: ['sleep'] },
    ...{ pipes: 0, opens: [], reads: [], writes: [], updates: [], devices: [] },
    limits: { memoryMib: 64, threads: 8, cpus: 1, fileMib: 1 },
  })
  launched.signal('SIGKILL')
  expect(await launched.ended).toEqual({ exitCode: null, signal: 'SIGKILL' })
})

test('without a shell to wait in, the start of a microVM is not tied to its host', async () => {
  using scratch = new Scratch()
  await Canary.hatch(scratch)
  onlyWith(scratch, 'prlimit', 'setpriv')
  const { held, missing } = await confine({ hostPath: scratch.join('canary'), hostDataPaths: [] }, scratch.join('programs'))
  expect(held).not.toContain('parent')
  expect(missing.find(({ part }) => part === 'parent')?.detail).toContain('There is no sh.')
})

test('a bubblewrap that may make no namespaces is told in its own words', async () => {
  using scratch = new Scratch()
  await Canary.hatch(scratch)
  scratch.script('bin/bwrap', 'echo "bwrap: No permissions to create new namespace" >&2; exit 1')
  onlyWith(scratch, 'prlimit', 'setpriv')
  const confinement = await confine({ hostPath: scratch.join('canary'), hostDataPaths: [] }, scratch.join('programs'))
  expect(parts(confinement)).toContain('namespaces')
  expect(confinement.missing.find(({ part }) => part === 'namespaces')?.detail).toContain(
    'No permissions to create new namespace',
  )
})

test('where there is nothing at all a program still runs, and everything is missing', async () => {
  using scratch = new Scratch()
  await Canary.hatch(scratch)
  vi.stubEnv('PATH', scratch.join('nowhere'))
  vi.stubEnv('WARMCELL_CGROUP', scratch.join('no-group'))
  const confinement = await confine({ hostPath: scratch.join('canary'), hostDataPaths: [] }, scratch.join('programs'))
  expect(confinement.held).toEqual([])
  expect(parts(confinement)).toEqual(
    expect.arrayContaining([
      'file-system',
      'namespaces',
      'system-calls',
      'capabilities',
      'privileges',
      'parent',
      'limits',
      'control-group',
    ]),
  )
  expect(() => assertConfined(confinement)).toThrow(
    expect.objectContaining({ code: 'HOST_UNSUPPORTED', message: expect.stringContaining("confinement 'strict'") }),
  )
  expect(infoOf(confinement).missing).toEqual(parts(confinement))
})

test('nothing missing is nothing to refuse', () => {
  expect(() =>
    assertConfined({ launcher: { launch: () => Promise.reject(new Error('not asked')) }, held: ['limits'], missing: [] }),
  ).not.toThrow()
})

test('what is missing is warned of once in a process, and nothing missing is nothing to say', async () => {
  const heard: Error[] = []
  const hear = (warning: Error): void => void heard.push(warning)
  process.on('warning', hear)
  const launcher = { launch: () => Promise.reject(new Error('not asked')) }
  const gap = { part: 'control-group', detail: 'No control groups can be made: read-only.' } as const
  for (const missing of [[], [gap], [gap]]) noteGaps({ launcher, held: [], missing })
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', hear)
  expect(heard).toEqual([
    expect.objectContaining({
      name: 'WarmcellWarning',
      code: 'WARMCELL_CONFINEMENT',
      message:
        'microVMs are not held by everything on this host. control-group: No control groups can be made: read-only. See `warmcell doctor`.',
    }),
  ])
})
