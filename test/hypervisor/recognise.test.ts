import { expect, test } from 'vitest'
import { bootArguments, cloneArguments } from '../../src/hypervisor/qemu/arguments.ts'
import { recogniseVm } from '../../src/hypervisor/qemu/recognise.ts'
import { spec } from '../support/vm-spec.ts'

const host = { accelerator: 'kvm', isX86: true, tscKhz: undefined } as const

test('a microVM is told by the command line that it was given', () => {
  expect(recogniseVm(['qemu-system-x86_64', ...bootArguments(spec, host)])).toEqual({
    id: 'wc-test',
    isolation: 'emulated',
    vcpus: 1,
    memoryMib: 128,
  })
  const snapshot = {
    ...spec,
    isolation: 'hardware',
    vcpus: 2,
    hostMemoryPath: '/t/a,b/memory',
    hostStatePath: '/t/state',
  } as const
  expect(recogniseVm(['/usr/bin/qemu', ...cloneArguments(snapshot, 'wc-clone', host)])).toEqual({
    id: 'wc-clone',
    isolation: 'hardware',
    vcpus: 2,
    memoryMib: 128,
    hostMemoryPath: '/t/a,b/memory',
  })
})

test.each([
  [[]],
  [['node', 'server.mjs']],
  [['qemu-system-x86_64', '-name', 'debian', '-m', '4096']],
  [['qemu-system-x86_64', '-name', ',process=warmcell-vm']],
  [['grep', 'wc-1,process=warmcell-vm', '-name']],
  [['bwrap', '--unshare-all', '--', 'qemu-system-x86_64', '-name', 'wc-1,process=warmcell-vm']],
  [['setpriv', '--pdeathsig', 'KILL', '--', 'bwrap', '--', 'qemu', '-name', 'wc-1,process=warmcell-vm']],
])('%o is none', (argv) => {
  expect(recogniseVm(argv)).toBeUndefined()
})
