import { expect, test } from 'vitest'
import { WarmcellError } from '../../src/errors.ts'
import { type DoctorFacts, type DoctorReport, examine } from '../../src/host/index.ts'

const healthy: DoctorFacts = {
  wanted: 'hardware',
  hypervisor: async () => 'QEMU 10.0.2',
  guestImage: async () => 'Linux 6.12',
  imageTools: async () => 'They are there.',
  hardware: async () => ({ works: true, detail: 'A guest booted under the accelerator.' }),
  confinement: async () => ({ held: ['namespaces'], missing: [] }),
  stateDirectory: async () => '/state',
  leftBehind: async () => [],
  hardening: async () => [],
}
const check = ({ checks }: DoctorReport, name: string) => checks.find((one) => one.name === name)
const broken: DoctorFacts['hardware'] = async () => ({ works: false, detail: 'It did not boot.', fix: 'Use bare metal.' })

test('a host with everything is well', async () => {
  const report = await examine(healthy)
  expect(report).toMatchObject({ ok: true, isolation: 'hardware' })
  expect(report.checks.filter(({ status }) => status === 'fail')).toEqual([])
  expect(check(report, 'hypervisor')).toEqual({ name: 'hypervisor', status: 'pass', detail: 'QEMU 10.0.2' })
})

test('an accelerator that does not work fails only who wants it, and names the price of doing without', async () => {
  const strict = await examine({ ...healthy, hardware: broken })
  expect(strict).toMatchObject({ ok: false, isolation: 'emulated' })
  expect(check(strict, 'accelerator')).toMatchObject({
    status: 'fail',
    fix: expect.stringMatching(/^Use bare metal\. Or ask for .*no security boundary/),
  })
  const lenient = await examine({ ...healthy, wanted: 'emulated', hardware: broken })
  expect(lenient).toMatchObject({ ok: true, isolation: 'emulated' })
  expect(check(lenient, 'accelerator')).toMatchObject({ status: 'warn' })
})

test('without the programs that make disks of images all else goes on', async () => {
  const missing = new WarmcellError('HOST_UNSUPPORTED', 'There is no tar2sqfs.', { hint: 'Install it.' })
  const report = await examine({ ...healthy, imageTools: () => Promise.reject(missing) })
  expect(report.ok).toBe(true)
  expect(check(report, 'image tools')).toEqual({
    ...{ name: 'image tools', status: 'warn', detail: 'There is no tar2sqfs.', fix: 'Install it.' },
  })
})

test('what is lacking is a finding with its fix apart, and never thrown', async () => {
  let tried = false
  const report = await examine({
    ...healthy,
    hypervisor: () => Promise.reject(new WarmcellError('HOST_UNSUPPORTED', 'There is no QEMU.', { hint: 'Install it.' })),
    guestImage: () => Promise.reject(new Error('unreadable')),
    hardware: async () => {
      tried = true
      return { works: true, detail: '' }
    },
    stateDirectory: () => Promise.reject(new WarmcellError('HOST_UNSUPPORTED', 'The disk is full.')),
  })
  expect(report).toMatchObject({ ok: false, isolation: 'none' })
  expect(check(report, 'hypervisor')).toEqual({
    name: 'hypervisor',
    status: 'fail',
    detail: 'There is no QEMU.',
    fix: 'Install it.',
  })
  expect(check(report, 'guest image')).toEqual({ name: 'guest image', status: 'fail', detail: 'unreadable' })
  expect(check(report, 'state directory')).toMatchObject({ status: 'fail', detail: 'The disk is full.' })
  expect(check(report, 'accelerator')).toMatchObject({ status: 'warn' })
  expect(tried).toBe(false)
})

test('each part of the confinement that is missing is a finding of its own', async () => {
  const gap = { part: 'control-group', detail: 'No control groups can be made: read-only.', fix: 'Delegate one.' } as const
  const report = await examine({ ...healthy, confinement: async () => ({ held: ['limits', 'parent'], missing: [gap] }) })
  expect(report.ok).toBe(true)
  expect(check(report, 'confinement')).toEqual({
    name: 'confinement',
    status: 'pass',
    detail: 'The process of a microVM is held by: limits, parent.',
  })
  expect(check(report, 'confinement: control-group')).toEqual({
    name: 'confinement: control-group',
    status: 'warn',
    detail: gap.detail,
    fix: gap.fix,
  })
})

test('what dead processes have left is counted by its kind, and no reason to fail', async () => {
  expect(check(await examine(healthy), 'left behind')).toMatchObject({ status: 'pass' })
  const kinds = ['microvm', 'entry', 'microvm', 'template'] as const
  const report = await examine({ ...healthy, leftBehind: async () => kinds.map((kind) => ({ kind, name: 'x' })) })
  expect(report.ok).toBe(true)
  expect(check(report, 'left behind')).toEqual({
    name: 'left behind',
    status: 'warn',
    detail: 'Processes that have ended left 2 microVMs, 1 entry of the journal, 1 half-made template.',
    fix: 'Run `warmcell reap`.',
  })
  const unseen = await examine({ ...healthy, leftBehind: () => Promise.reject(new Error('/state/journal is a symbolic link')) })
  expect(check(unseen, 'left behind')).toMatchObject({ status: 'warn', detail: expect.stringContaining('symbolic link') })
})

test('an accelerator that cannot be tried is a finding', async () => {
  const report = await examine({ ...healthy, hardware: () => Promise.reject(new Error('the disk is full')) })
  expect(check(report, 'accelerator')).toMatchObject({ status: 'fail', detail: expect.stringContaining('the disk is full') })
})

test('what could still be done for the host is said, and keeps no sandbox from being created', async () => {
  const swap = { name: 'host: swap', status: 'warn', detail: 'Memory may be written to /dev/sda2.', fix: 'swapoff -a' } as const
  const report = await examine({ ...healthy, hardening: async () => [swap] })
  expect(report).toMatchObject({ ok: true, isolation: 'hardware' })
  expect(check(report, 'host: swap')).toEqual(swap)
})
