/** The spec of a microVM for tests that never boot one. */

import type { VmSpec } from '../../src/hypervisor/index.ts'

export const spec: VmSpec = {
  id: 'wc-test',
  isolation: 'emulated',
  acpi: true,
  vcpus: 1,
  memoryMib: 128,
  hostKernelPath: '/kernel',
  hostInitramfsPath: '/initramfs',
  hostRootPath: '/root.img',
  kernelArguments: [],
}
