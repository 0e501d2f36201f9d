/** From QEMU's command line back to what the microVM is: pure, the other way round than arguments.ts. */

import type { VmFacts } from '../hypervisor.ts'
import { processName } from './arguments.ts'

/** Undefined for every process that is none of ours, and for one that only starts QEMU: it has those words behind a `--`. */
export function recogniseVm(argv: readonly string[]): VmFacts | undefined {
  const end = argv.indexOf('--')
  if (end !== -1 && end < argv.indexOf('-name')) return undefined
  const values = (name: string): string[] => argv.flatMap((word, at) => (word === name ? [argv[at + 1] ?? ''] : []))
  const [name = ''] = values('-name')
  const suffix = `,process=${processName}`
  if (!name.endsWith(suffix) || name.length === suffix.length) return undefined
  const [accelerator = '', vcpus = '', memory = ''] = ['-accel', '-smp', '-m'].map((option) => values(option)[0])
  const hostMemoryPath = values('-object')
    .map((object) => /^memory-backend-file,.*,mem-path=(.*)$/s.exec(object)?.[1])
    .find((path) => path !== undefined)
    ?.replaceAll(',,', ',')
  return {
    id: name.slice(0, -suffix.length),
    isolation: accelerator.startsWith('tcg') ? 'emulated' : 'hardware',
    vcpus: Number.parseInt(vcpus, 10),
    memoryMib: Number.parseInt(memory, 10),
    ...(hostMemoryPath !== undefined && { hostMemoryPath }),
  }
}
