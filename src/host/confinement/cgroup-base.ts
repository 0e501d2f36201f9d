/** Where control groups can be made on this host: in the unified hierarchy (v2) where it has been delegated, or in each controller's own (v1). */

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** What a microVM is limited in. */
export const controllers = ['memory', 'cpu', 'pids'] as const
export type Controller = (typeof controllers)[number]

export interface CgroupBase {
  readonly version: 1 | 2
  /** Below these the groups are made: with v2 one and the same for all. */
  readonly hostPaths: Readonly<Record<Controller, string>>
}

/** A hierarchy as this process sees it. */
interface Hierarchy {
  /** 'unified' for v2. */
  readonly names: readonly string[]
  /** The group of this process. */
  readonly hostPath: string
  /** The topmost that can be seen. */
  readonly hostMountPath: string
}

const baseName = 'warmcell'

/** Makes it where it is not there. @throws an Error that says why there is none. */
export async function findCgroupBase(): Promise<CgroupBase> {
  let reason = 'this host has no control groups, or does not show them'
  for (const base of await cgroupBases()) {
    try {
      await prepare(base)
      return base
    } catch (error) {
      const { message } = error as Error
      reason = base.version === 2 ? `${dirname(base.hostPaths.memory)}: ${message}` : message
    }
  }
  throw new Error(reason)
}

/** Where it may be, best first; nothing is made. */
export async function cgroupBases(): Promise<CgroupBase[]> {
  const named = process.env.WARMCELL_CGROUP
  if (named) return [unifiedBelow(named)]
  const hierarchies = parseHierarchies(
    await readFile('/proc/self/cgroup', 'utf8'),
    await readFile('/proc/self/mountinfo', 'utf8'),
  )
  const own = hierarchies.find(({ names }) => names.includes('unified'))
  const separate = controllers.map((controller) => hierarchies.find(({ names }) => names.includes(controller)))
  if (!separate.every((one) => one !== undefined)) return own === undefined ? [] : delegated(own).map(unifiedBelow)
  const [memory = '', cpu = '', pids = ''] = separate.map(({ hostPath }) => join(hostPath, baseName))
  return [{ version: 1, hostPaths: { memory, cpu, pids } }]
}

function unifiedBelow(hostGroupPath: string): CgroupBase {
  const hostPath = join(hostGroupPath, baseName)
  return { version: 2, hostPaths: { memory: hostPath, cpu: hostPath, pids: hostPath } }
}

/** From proc_pid_cgroup(5) and proc_pid_mountinfo(5): pure. */
export function parseHierarchies(membership: string, mounts: string): Hierarchy[] {
  const mounted = mounts.split('\n').flatMap((line) => {
    const [before = '', behind = ''] = line.split(' - ')
    const [type = '', , options = ''] = behind.split(' ')
    const [, , , root = '', hostMountPath = ''] = before.split(' ')
    if (type !== 'cgroup' && type !== 'cgroup2') return []
    return [{ names: type === 'cgroup2' ? ['unified'] : options.split(','), root, hostMountPath }]
  })
  return membership.split('\n').flatMap((line) => {
    const [, id = '', names = '', path = ''] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? []
    if (path === '') return []
    const wanted = id === '0' ? ['unified'] : names.split(',')
    const mount = mounted.find((one) => wanted.some((name) => one.names.includes(name)) && isBelow(path, one.root))
    if (mount === undefined) return []
    const hostPath = join(mount.hostMountPath, path.slice(mount.root === '/' ? 0 : mount.root.length))
    return [{ names: wanted, hostPath: hostPath.replace(/\/$/, ''), hostMountPath: mount.hostMountPath }]
  })
}

const isBelow = (path: string, root: string): boolean => root === '/' || path === root || path.startsWith(`${root}/`)

/**
 * A group with processes in it cannot pass controllers on (the "no internal processes" rule), so the group of this process seldom will do. Where a service manager
 * has put this process into a group of its own below the one that it has delegated (systemd's `DelegateSubgroup=`), that one will. A slice is never ours.
 * https://systemd.io/CGROUP_DELEGATION/
 */
function delegated({ hostPath, hostMountPath }: Hierarchy): string[] {
  const parent = dirname(hostPath)
  const isOurs = hostPath !== hostMountPath && !basename(parent).endsWith('.slice') && parent.startsWith(`${hostMountPath}/`)
  return isOurs ? [hostPath, parent] : [hostPath]
}

async function prepare({ version, hostPaths }: CgroupBase): Promise<void> {
  const unified = version === 2
  for (const hostPath of new Set(Object.values(hostPaths))) {
    if (unified) await passOn(dirname(hostPath))
    await makeGroup(hostPath)
    if (unified) await passOn(hostPath)
  }
}

/** Lets the groups below have the controllers. */
async function passOn(hostPath: string): Promise<void> {
  const file = join(hostPath, 'cgroup.subtree_control')
  const already = (await readFile(file, 'utf8')).trim().split(' ')
  const wanted = controllers.filter((controller) => !already.includes(controller))
  if (wanted.length > 0) await writeFile(file, wanted.map((controller) => `+${controller}`).join(' '))
}

async function makeGroup(hostPath: string): Promise<void> {
  await mkdir(hostPath).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}
