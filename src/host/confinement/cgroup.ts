/** The control group of one microVM: made with its limits, joined, and removed when it is empty. */

import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { LaunchLimits } from '../../hypervisor/index.ts'
import { killProcess } from '../kill.ts'
import { type Leftover, leftIn, ownerInPart } from '../leftover.ts'
import { identityText, ownIdentity } from '../process-identity.ts'
import { type CgroupBase, type Controller, cgroupBases, controllers } from './cgroup-base.ts'

/** In which processors are dealt out, in microseconds: the kernel's default. */
const cpuPeriodUs = 100_000

const mib = 1_048_576

/** How long a group may stay busy after its last process has ended, in milliseconds: the kernel takes it out a moment later. */
const emptyDeadlineMs = 1_000
const emptyPollMs = 5

/** What was killed is gone in milliseconds; what waits for a disk is not, until that answers. */
const killDeadlineMs = 5_000

/** What is written where, before anybody joins: pure. https://docs.kernel.org/admin-guide/cgroup-v2.html */
export function groupLimits(
  version: 1 | 2,
  { memoryMib, threads, cpus }: LaunchLimits,
): [Controller, file: string, value: string][] {
  const [memory, quotaUs] = [String(memoryMib * mib), String(cpus * cpuPeriodUs)]
  if (version === 2) {
    return [
      ['memory', 'memory.max', memory],
      // All of it ends, or nothing: half a hypervisor is of no use.
      ['memory', 'memory.oom.group', '1'],
      ['cpu', 'cpu.max', `${quotaUs} ${cpuPeriodUs}`],
      ['pids', 'pids.max', String(threads)],
    ]
  }
  return [
    ['memory', 'memory.limit_in_bytes', memory],
    ['cpu', 'cpu.cfs_period_us', String(cpuPeriodUs)],
    ['cpu', 'cpu.cfs_quota_us', quotaUs],
    ['pids', 'pids.max', String(threads)],
  ]
}

export class Cgroup {
  readonly #hostPaths: readonly string[]

  private constructor(hostPaths: readonly string[]) {
    this.#hostPaths = hostPaths
  }

  /** Its name says whose it is, so that what a crash leaves can be told from what is in use. */
  static async make({ version, hostPaths }: CgroupBase, id: string, limits: LaunchLimits): Promise<Cgroup> {
    const name = `${id}.${identityText(await ownIdentity())}.${randomBytes(4).toString('hex')}`
    const pathOf = (controller: Controller): string => join(hostPaths[controller], name)
    const group = new Cgroup([...new Set(controllers.map(pathOf))])
    try {
      await Promise.all(group.#hostPaths.map((hostPath) => mkdir(hostPath)))
      for (const [controller, file, value] of groupLimits(version, limits)) await writeFile(join(pathOf(controller), file), value)
      return group
    } catch (error) {
      await group.remove()
      throw error
    }
  }

  /** What has ended already needs no group, and its group may be gone. */
  async join(pid: number): Promise<void> {
    const joining = this.#hostPaths.map((hostPath) => writeFile(join(hostPath, 'cgroup.procs'), String(pid)))
    await Promise.all(joining).catch((error: NodeJS.ErrnoException) => {
      if (!['ESRCH', 'ENOENT', 'ENODEV'].includes(error.code ?? '')) throw error
    })
  }

  /** Once its process has ended. One that stays all the same is swept when its owner is gone. */
  async remove(): Promise<void> {
    await Promise.all(this.#hostPaths.map((hostPath) => removeGroup(hostPath, emptyDeadlineMs)))
  }
}

/** The groups of processes that are gone. Makes none to look. */
export async function cgroupsLeft(): Promise<Leftover[]> {
  const bases = await cgroupBases().catch((): CgroupBase[] => [])
  const hostPaths = new Set(bases.flatMap(({ hostPaths }) => Object.values(hostPaths)))
  const parse = (name: string) => ownerInPart(name, 1)
  const left = [...hostPaths].map((hostPath) => leftIn(hostPath, { kind: 'group', parse, remove: removeLeft }))
  return (await Promise.all(left)).flat()
}

/** With whatever is in it: nobody else's process is in a group of ours, whatever it calls itself by now. */
async function removeLeft(hostPath: string): Promise<boolean> {
  const killMembers = async (): Promise<void> => {
    for (const pid of await membersOf(hostPath)) killProcess(pid)
  }
  const failure = await removeGroup(hostPath, killDeadlineMs, killMembers)
  if (failure === undefined) return true
  if (failure.code === 'ENOENT') return false
  throw failure
}

async function membersOf(hostPath: string): Promise<number[]> {
  const text = await readFile(join(hostPath, 'cgroup.procs'), 'utf8').catch(() => '')
  return text.split('\n').filter(Boolean).map(Number)
}

/** Why it is still there, undefined when it is not. */
async function removeGroup(
  hostPath: string,
  deadlineMs: number,
  whileBusy?: () => Promise<void>,
): Promise<NodeJS.ErrnoException | undefined> {
  const until = performance.now() + deadlineMs
  for (;;) {
    const failure = await rmdir(hostPath).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error,
    )
    if (failure?.code !== 'EBUSY' || performance.now() > until) return failure
    await whileBusy?.()
    await delay(emptyPollMs)
  }
}
