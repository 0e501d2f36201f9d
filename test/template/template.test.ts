import { expect, test } from 'vitest'
import { planBoot, resolveTemplate } from '../../src/template/index.ts'
import { Scratch } from '../support/scratch.ts'

const image = {
  key: 'k',
  hostDirectory: '/i',
  hostKernelPath: '/i/vmlinuz',
  hostInitramfsPath: '/i/initramfs',
  hostBaseRootPath: '/i/base.erofs',
  kernel: 'minimal' as const,
  kernelRelease: '6.12',
  acpi: false,
  kernelArguments: ['quiet'],
}

test('a template without anything has every default', () => {
  expect(resolveTemplate('base', {})).toEqual({
    name: 'base',
    root: 'base',
    resources: { vcpus: 1, memoryMib: 256, diskMib: 128, pids: 512 },
    env: {},
    user: 'user',
    cwd: '',
  })
})

test('a root of the caller has no user by name that one could count on', () => {
  expect(resolveTemplate('mine', { root: { hostPath: '/d.img' } }).user).toBe('1000:1000')
  expect(resolveTemplate('mine', { root: { hostPath: '/d.img' }, user: 'app' }).user).toBe('app')
})

test.each([
  [{ resources: { memoryMib: 95 } }, 'from 96 to 65536'],
  [{ resources: { vcpus: 1.5 } }, 'vCPUs'],
  [{ resources: { pids: 7 } }, 'from 8 to'],
  [{ resources: { memory: 128 } }, 'memory'],
  [{ resources: { memoryMib: 128, diskMib: 200 } }, 'diskMib (200) is more than memoryMib (128)'],
  [{ root: 'debian' }, "expected 'base' or { hostPath }"],
  [{ env: { '': 'x' } }, "a variable's name is not empty"],
])('%o is refused with the name of the template', (spec, message) => {
  const resolve = (): unknown => resolveTemplate('mine', spec as object)
  expect(resolve).toThrow("template 'mine'")
  expect(resolve).toThrow(message)
})

test('a plan boots the built-in root, or the one of the caller by what it is', async () => {
  const resources = { vcpus: 2, memoryMib: 512, diskMib: 100, pids: 64 }
  expect(await planBoot(resolveTemplate('base', { resources }), image, 'hardware', 'wc-1')).toEqual({
    id: 'wc-1',
    isolation: 'hardware',
    vcpus: 2,
    memoryMib: 512,
    hostKernelPath: '/i/vmlinuz',
    hostInitramfsPath: '/i/initramfs',
    hostRootPath: '/i/base.erofs',
    acpi: true,
    kernelArguments: ['quiet', 'warmcell.rootfs=erofs', 'warmcell.disk_mib=100', 'warmcell.pids=64'],
  })
  using scratch = new Scratch()
  const disk = Buffer.alloc(4_096)
  disk.set([0x53, 0xef], 1_080)
  const hostPath = scratch.file('disk.img', disk)
  const plan = await planBoot(resolveTemplate('mine', { root: { hostPath } }), image, 'emulated', 'wc-2')
  expect(plan).toMatchObject({ hostRootPath: hostPath, kernelArguments: expect.arrayContaining(['warmcell.rootfs=ext4']) })
})
