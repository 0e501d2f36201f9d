// What a result was measured on.
import { readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { outputOf } from './contenders/program.mjs'

export async function describeMachine(flavours) {
  const qemu = await outputOf(process.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64', ['--version'])
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    architecture: arch(),
    cores: availableParallelism(),
    memoryMib: Math.round(totalmem() / 1_048_576),
    kernel: release(),
    distribution: /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown',
    node: process.versions.node,
    qemu: /version (\S+)/.exec(qemu ?? '')?.[1] ?? null,
    isolation: process.env.WARMCELL_ISOLATION,
    // The image's place on this machine is nobody's business.
    guests: flavours.map(({ subject, image }) => ({ subject, image: image.split(', at ')[0] })),
  }
}

export async function describeCommit(hostDirectory) {
  const commit = await outputOf('git', ['-C', hostDirectory, 'rev-parse', 'HEAD'])
  if (!commit) return null
  const changed = await outputOf('git', ['-C', hostDirectory, 'status', '--porcelain'])
  return changed ? `${commit}, with changes` : commit
}

/** Of the last minute and the last five. */
export const load = () => loadavg().slice(0, 2)
