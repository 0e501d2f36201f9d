import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { WarmcellError } from '../../src/errors.ts'
import { type HardwareVerdict, probeHardware } from '../../src/host/index.ts'
import { Scratch } from '../support/scratch.ts'

/** Counts its boots, and ends each as told. */
class Boots {
  count = 0
  outcome: () => Promise<void> = async () => {}
  readonly boot = (): Promise<void> => {
    this.count++
    return this.outcome()
  }
}

function probe(boots: Boots, scratch: Scratch, more: { key?: string; fresh?: boolean } = {}): Promise<HardwareVerdict> {
  return probeHardware({
    boot: boots.boot,
    key: 'QEMU 10',
    stateDirectory: scratch.hostPath,
    hostDevicePath: '/dev/null',
    ...more,
  })
}

test('an accelerator works when a guest has booted, and that is remembered', async () => {
  using scratch = new Scratch()
  const boots = new Boots()
  expect(await probe(boots, scratch)).toMatchObject({ works: true })
  expect(await probe(boots, scratch)).toMatchObject({ works: true })
  expect(boots.count).toBe(1)
})

test('a device that opens and boots nothing does not work, and that is remembered too', async () => {
  using scratch = new Scratch()
  const boots = new Boots()
  boots.outcome = () => Promise.reject(new WarmcellError('BOOT_FAILED', 'wc-probe did not boot: it hung.\nconsole', {}))
  const verdict = await probe(boots, scratch)
  expect(verdict).toMatchObject({
    works: false,
    detail: expect.stringContaining('did not boot: wc-probe did not boot: it hung.'),
  })
  expect(verdict.detail).not.toContain('\n')
  expect(await probe(boots, scratch)).toEqual(verdict)
  expect(boots.count).toBe(1)
})

test('another hypervisor or kernel, a fresh look, and a damaged memory boot again', async () => {
  using scratch = new Scratch()
  const boots = new Boots()
  await probe(boots, scratch)
  await probe(boots, scratch, { key: 'QEMU 11' })
  await probe(boots, scratch, { key: 'QEMU 11', fresh: true })
  scratch.file('probe.json', '{"key": ')
  await probe(boots, scratch, { key: 'QEMU 11' })
  expect(boots.count).toBe(4)
  expect(JSON.parse(readFileSync(scratch.join('probe.json'), 'utf8'))).toMatchObject({ verdict: { works: true } })
})

test('a memory that cannot be written changes no verdict', async () => {
  using scratch = new Scratch()
  const stateDirectory = scratch.file('in-its-place', '')
  const boots = new Boots()
  const options = { boot: boots.boot, key: 'k', stateDirectory, hostDevicePath: '/dev/null' }
  expect(await probeHardware(options)).toMatchObject({ works: true })
  expect(await probeHardware(options)).toMatchObject({ works: true })
  expect(boots.count).toBe(2)
})

test('a failure that is not the accelerator’s is no verdict', async () => {
  using scratch = new Scratch()
  const boots = new Boots()
  const missing = new WarmcellError('IMAGE', 'There is no guest image.')
  boots.outcome = () => Promise.reject(missing)
  await expect(probe(boots, scratch)).rejects.toBe(missing)
  boots.outcome = async () => {}
  expect(await probe(boots, scratch)).toMatchObject({ works: true })
})

test('a device that a microVM may not open is a verdict that can be mended: it says how, and is not remembered', async () => {
  using scratch = new Scratch()
  const boots = new Boots()
  boots.outcome = () =>
    Promise.reject(new WarmcellError('HOST_UNSUPPORTED', 'It is for its owner.', { hint: 'Give it a group.' }))
  expect(await probe(boots, scratch)).toEqual({ works: false, detail: 'It is for its owner.', fix: 'Give it a group.' })
  boots.outcome = async () => {}
  expect(await probe(boots, scratch)).toMatchObject({ works: true })
})

test('without the device nothing is booted', async () => {
  using scratch = new Scratch()
  const boots = new Boots()
  const verdict = await probeHardware({
    boot: boots.boot,
    key: 'k',
    stateDirectory: scratch.hostPath,
    hostDevicePath: scratch.join('kvm'),
  })
  expect(verdict).toMatchObject({
    works: false,
    detail: `There is no ${scratch.join('kvm')}.`,
    fix: expect.stringContaining('firmware'),
  })
  expect(boots.count).toBe(0)
})
