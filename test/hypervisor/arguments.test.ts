import { expect, test } from 'vitest'
import type { VmSnapshot, VmSpec } from '../../src/hypervisor/index.ts'
import { bootArguments, cloneArguments, reopenArguments } from '../../src/hypervisor/qemu/arguments.ts'

const spec: VmSpec = {
  id: 'wc-0123456789ab',
  isolation: 'emulated',
  vcpus: 1,
  memoryMib: 256,
  acpi: true,
  hostKernelPath: '/images/vmlinuz',
  hostInitramfsPath: '/images/initramfs',
  hostRootPath: '/images/base.erofs',
  kernelArguments: ['console=ttyS0', 'quiet'],
}
const { kernelArguments: _, hostKernelPath: __, hostInitramfsPath: ___, id, ...hardware } = spec
const snapshot: VmSnapshot = { ...hardware, hostMemoryPath: '/t/memory', hostStatePath: '/t/state' }
const host = { accelerator: 'kvm', isX86: true, tscKhz: 2_500_000 } as const

/** One option with its value a line. */
const lines = (args: string[]): string => `${args.join('\n').replaceAll(/\n(?!-)/g, ' ')}\n`

test('an emulated microVM is started exactly so', async () => {
  await expect(lines(bootArguments(spec, host))).toMatchFileSnapshot('emulated.golden.txt')
})

test('a microVM with hardware isolation is started exactly so', async () => {
  await expect(lines(bootArguments({ ...spec, isolation: 'hardware', vcpus: 2 }, host))).toMatchFileSnapshot(
    'hardware.golden.txt',
  )
})

test('a template keeps its memory in a file that it shares; a clone reads that file and cannot write to it', () => {
  const template = lines(bootArguments({ ...spec, savesTo: snapshot }, host))
  expect(template).toContain('-object memory-backend-file,id=ram,size=256M,share=on,mem-path=/t/memory\n')
  const clone = lines(cloneArguments(snapshot, id, host))
  expect(clone).toContain('-object memory-backend-file,id=ram,size=256M,share=off,readonly=on,rom=off,mem-path=/t/memory\n')
})

test('a clone has the devices of its template, in the same order, and no kernel', async () => {
  const clone = lines(cloneArguments(snapshot, id, host))
  await expect(clone).toMatchFileSnapshot('clone.golden.txt')
  const devices = (text: string): string[] =>
    text.split('\n').filter((line) => /^-(device|machine|cpu|smp|m|drive|accel) /.test(line))
  expect(devices(clone)).toEqual(devices(lines(bootArguments(spec, host))))
  for (const absent of ['-kernel', '-initrd', '-append']) expect(clone).not.toContain(absent)
})

test('one that goes on where it was saved is a clone that keeps what it writes, and can be saved to be cloned', () => {
  const [again, clone] = [reopenArguments(snapshot, id, host), cloneArguments(snapshot, id, host)]
  const memory = 'memory-backend-file,id=ram,size=256M,share=on,mem-path=/t/memory'
  const expected = clone.map((word) => (word.startsWith('memory-backend-file,') ? memory : word))
  expect(again).toEqual([...expected.slice(0, -2), '-global', 'migration.store-global-state=off', '-incoming', 'defer'])
})

test('without ACPI the machine has none', () => {
  expect(lines(bootArguments({ ...spec, acpi: false }, host))).toContain('-machine microvm,acpi=off,')
})

test('the accelerator is the one of the host, and never one when emulation was asked for', () => {
  for (const accelerator of ['kvm', 'hvf'] as const) {
    expect(lines(bootArguments({ ...spec, isolation: 'hardware' }, { accelerator, isX86: true, tscKhz: undefined }))).toContain(
      `-accel ${accelerator}\n`,
    )
    expect(lines(bootArguments(spec, { accelerator, isX86: true, tscKhz: undefined }))).toMatch(/-accel tcg,/)
  }
})

test('a guest under an accelerator is not told that its processor can run guests', () => {
  const hardware = { ...spec, isolation: 'hardware' } as const
  expect(lines(bootArguments(hardware, host))).toContain('-cpu host,vmx=off,svm=off\n')
  // Which arm64 has not, and QEMU would refuse.
  expect(lines(bootArguments(hardware, { ...host, isX86: false }))).toContain('-cpu host\n')
})

test('a path with a comma in it adds no option', () => {
  const args = cloneArguments({ ...snapshot, hostMemoryPath: '/a,readonly=off/b' }, 'wc-test', host)
  expect(args).toContainEqual(expect.stringMatching(/readonly=on,.*mem-path=\/a,,readonly=off\/b$/))
})

test('a guest has no network, no screen, no monitor, and a root that is only read, as raw', () => {
  const text = lines(bootArguments(spec, { accelerator: 'kvm', isX86: true, tscKhz: undefined }))
  for (const wanted of ['-nic none', '-display none', '-monitor none', '-nodefaults', '-no-user-config', '-sandbox on,']) {
    expect(text).toContain(wanted)
  }
  const drives = [...text.matchAll(/^-drive (.*)$/gm)].map(([, drive]) => drive)
  expect(drives.length).toBeGreaterThan(0)
  for (const drive of drives) expect(drive).toMatch(/format=raw/)
  expect(drives[0]).toMatch(/readonly=on/)
})
