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
    setup: [],
    start: undefined,
    ready: undefined,
    interpreters: {},
    warm: { min: 0, max: 0 },
    sharing: 'global',
  })
})

test('a number of warm clones is both bounds', () => {
  expect(resolveTemplate('mine', { warm: 3 }).warm).toEqual({ min: 3, max: 3 })
  expect(resolveTemplate('mine', { warm: { min: 0, max: 3 } }).warm).toEqual({ min: 0, max: 3 })
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
  [{ setup: 'apk add git' }, 'expected a list of commands'],
  [{ setup: [''] }, 'it is empty'],
  [{ start: [] }, 'the program is missing'],
  [{ start: 1 }, 'expected a command, or a program and its arguments'],
  [{ start: 'a', ready: { port: 0 } }, 'a port from 1 to 65535'],
  [{ start: 'a', ready: { port: 1, file: '/x' } }, 'expected one of { port }, { exec } and { file }'],
  [{ start: 'a', ready: { file: 'relative' } }, 'an absolute path'],
  [{ ready: { file: '/x' } }, 'there is nothing to be `ready`'],
  [{ warm: -1 }, 'expected a whole number of clones from 0'],
  [{ warm: { min: 2, max: 1 } }, 'expected min to be at most max'],
  [{ sharing: 'some' }, "expected 'global', 'tenant' or 'none'"],
  [{ sharing: 'tenant', warm: 1 }, "sharing 'tenant' has no warm stock"],
  [{ sharing: 'none', warm: { min: 0, max: 1 } }, "sharing 'none' has no warm stock"],
  [{ sharing: 'none', setup: ['true'] }, "sharing 'none' has no `setup`, `start` or `ready`"],
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
    acpi: false,
    vcpus: 2,
    memoryMib: 512,
    hostKernelPath: '/i/vmlinuz',
    hostInitramfsPath: '/i/initramfs',
    hostRootPath: '/i/base.erofs',
    kernelArguments: ['quiet', 'warmcell.rootfs=erofs', 'warmcell.disk_mib=100', 'warmcell.pids=64'],
  })
  using scratch = new Scratch()
  const disk = Buffer.alloc(4_096)
  disk.set([0x53, 0xef], 1_080)
  const hostPath = scratch.file('disk.img', disk)
  const plan = await planBoot(resolveTemplate('mine', { root: { hostPath } }), image, 'emulated', 'wc-2')
  expect(plan).toMatchObject({ hostRootPath: hostPath, kernelArguments: expect.arrayContaining(['warmcell.rootfs=ext4']) })
})
