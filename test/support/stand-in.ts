/** A small real program that stands for a microVM: it has a microVM's words on its command line, and stands still until it is killed. */

import { existsSync, readFileSync } from 'node:fs'
import { directLauncher, type Launch, type Launcher } from '../../src/hypervisor/index.ts'

/** Words before those of the microVM make it one that starts a microVM. */
export function standIn(id: string, before: readonly string[] = []): Launch {
  return {
    id,
    program: { hostPath: '/bin/sh', hostDataPaths: [] },
    args: ['-c', 'kill -STOP $$', 'sh', ...before, '-name', `${id},process=warmcell-vm`],
    ...{ pipes: 0, opens: [], reads: [], writes: [], updates: [], devices: [] },
    limits: { memoryMib: 1, threads: 1, cpus: 1, fileMib: 1 },
  }
}

/** One that no parent's death ends, as where there is no setpriv. */
export async function outlivingLauncher(): Promise<Launcher> {
  const { PATH } = process.env
  process.env.PATH = '/nowhere'
  try {
    return await directLauncher()
  } finally {
    process.env.PATH = PATH
  }
}

/** Whether a process runs or stands still; one that has ended and waits for its parent does not. */
export function isRunning(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.charAt(stat.lastIndexOf(')') + 2) !== 'Z'
  } catch {
    return false
  }
}
