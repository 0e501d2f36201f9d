import { expect, test } from 'vitest'
import type { VmSpec } from '../../src/hypervisor/index.ts'
import { qemuArguments } from '../../src/hypervisor/qemu/arguments.ts'

const spec: VmSpec = {
  id: 'wc-0123456789ab',
  isolation: 'emulated',
  vcpus: 1,
  memoryMib: 256,
  hostKernelPath: '/images/vmlinuz',
  hostInitramfsPath: '/images/initramfs',
  hostRootPath: '/images/base.erofs',
  kernelArguments: ['console=ttyS0', 'quiet'],
}
/** One option with its value a line. */
const lines = (args: string[]): string => `${args.join('\n').replaceAll(/\n(?!-)/g, ' ')}\n`

test('an emulated microVM is started exactly so', async () => {
  await expect(lines(qemuArguments(spec, { accelerator: 'kvm', tscKhz: 2_500_000 }))).toMatchFileSnapshot('emulated.golden.txt')
})

test('a microVM with hardware isolation is started exactly so', async () => {
  const hardware = qemuArguments({ ...spec, isolation: 'hardware', vcpus: 2 }, { accelerator: 'kvm', tscKhz: 2_500_000 })
  await expect(lines(hardware)).toMatchFileSnapshot('hardware.golden.txt')
})

test('the accelerator is the one of the host, and never one when emulation was asked for', () => {
  for (const accelerator of ['kvm', 'hvf'] as const) {
    expect(lines(qemuArguments({ ...spec, isolation: 'hardware' }, { accelerator, tscKhz: undefined }))).toContain(
      `-accel ${accelerator}\n`,
    )
    expect(lines(qemuArguments(spec, { accelerator, tscKhz: undefined }))).toMatch(/-accel tcg,/)
  }
})

test('a path with a comma in it adds no option', () => {
  const args = qemuArguments({ ...spec, hostRootPath: '/a,readonly=off/b.img' }, { accelerator: 'kvm', tscKhz: undefined })
  expect(args).toContainEqual(expect.stringMatching(/readonly=on,.*file=\/a,,readonly=off\/b\.img$/))
})

test('a guest has no network, no screen, no monitor, and a root that is only read, as raw', () => {
  const text = lines(qemuArguments(spec, { accelerator: 'kvm', tscKhz: undefined }))
  for (const wanted of ['-nic none', '-display none', '-monitor none', '-nodefaults', '-no-user-config', '-sandbox on,']) {
    expect(text).toContain(wanted)
  }
  const drives = [...text.matchAll(/^-drive (.*)$/gm)].map(([, drive]) => drive)
  expect(drives.length).toBeGreaterThan(0)
  for (const drive of drives) expect(drive).toMatch(/format=raw/)
  expect(drives[0]).toMatch(/readonly=on/)
})
