/** `build-template STATE TRACE HOW SETUP…`: builds a template over a fake hypervisor, beside whoever else does. HOW is `to-end`, or `hang` for a setup that never ends. */

import { appendFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { resolveTemplate, Templates } from '../../src/template/index.ts'
import { FakeHypervisor } from '../../src/testing/fake-hypervisor.ts'
import { builtinPrograms } from '../../src/testing/programs.ts'

const [stateDirectory = '', trace = '', how = '', ...setup] = process.argv.slice(2)

const work = async ({ argv, signal }: { argv: readonly string[]; signal: AbortSignal }): Promise<number> => {
  appendFileSync(trace, `${['building', ...argv.slice(1)].join(' ')}\n`)
  process.stdout.write('building\n')
  await delay(how === 'hang' ? 60_000 : 200, undefined, { signal })
  return 0
}
const image = {
  ...{ key: 'image-1', hostDirectory: '/i', hostKernelPath: '/i/vmlinuz', hostInitramfsPath: '/i/initramfs' },
  ...{
    hostBaseRootPath: '/i/base.erofs',
    kernel: 'stock' as const,
    acpi: true,
    kernelRelease: '6.12',
    kernelArguments: ['quiet'],
  },
}
const hypervisor = new FakeHypervisor(new Map(Object.entries({ ...builtinPrograms, work })))
const templates = new Templates({ hypervisor, image, isolation: 'emulated', stateDirectory })
const { digest } = await templates.snapshot(resolveTemplate('mine', { setup: setup.length === 0 ? ['work'] : setup }), {})
process.stdout.write(`${digest}\n`)
