import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Cgroup, cgroupsLeft, groupLimits } from '../../../src/host/confinement/cgroup.ts'
import { type CgroupBase, findCgroupBase, parseHierarchies } from '../../../src/host/confinement/cgroup-base.ts'
import { Scratch } from '../../support/scratch.ts'

const limits = { memoryMib: 256, threads: 73, cpus: 2, fileMib: 1 }

test.each([
  [
    'v2 as systemd mounts it',
    '0::/system.slice/app.service/main\n',
    '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n',
    [{ names: ['unified'], hostPath: '/sys/fs/cgroup/system.slice/app.service/main', hostMountPath: '/sys/fs/cgroup' }],
  ],
  [
    'v2 in a container, which sees itself as the top',
    '0::/\n',
    '912 900 0:26 /../../../docker/12ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n922 900 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n',
    [{ names: ['unified'], hostPath: '/sys/fs/cgroup', hostMountPath: '/sys/fs/cgroup' }],
  ],
  [
    'v1, its controllers joined in pairs, with an empty v2 beside it',
    '5:cpu,cpuacct:/a\n4:memory:/a/b\n1:name=systemd:/x\n0::/x\n',
    [
      '31 24 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
      '33 24 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
      '34 24 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    ].join('\n'),
    [
      { names: ['cpu', 'cpuacct'], hostPath: '/sys/fs/cgroup/cpu,cpuacct/a', hostMountPath: '/sys/fs/cgroup/cpu,cpuacct' },
      { names: ['memory'], hostPath: '/sys/fs/cgroup/memory/a/b', hostMountPath: '/sys/fs/cgroup/memory' },
      { names: ['unified'], hostPath: '/sys/fs/cgroup/unified/x', hostMountPath: '/sys/fs/cgroup/unified' },
    ],
  ],
  [
    'v1 in a container, whose part of the tree is mounted alone',
    '4:memory:/docker/12ab/app\n',
    '34 24 0:30 /docker/12ab /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n',
    [{ names: ['memory'], hostPath: '/sys/fs/cgroup/memory/app', hostMountPath: '/sys/fs/cgroup/memory' }],
  ],
  ['none that can be seen', '0::/somewhere\n', '1 1 0:1 / / rw - ext4 /dev/vda rw\n', []],
])('this process’s groups are found: %s', (_, membership, mounts, wanted) => {
  expect(parseHierarchies(membership, mounts)).toEqual(wanted)
})

test('the limits of a group are said in the words of its version', () => {
  expect(groupLimits(2, limits)).toEqual([
    ['memory', 'memory.max', '268435456'],
    ['memory', 'memory.oom.group', '1'],
    ['cpu', 'cpu.max', '200000 100000'],
    ['pids', 'pids.max', '73'],
  ])
  expect(groupLimits(1, limits)).toEqual([
    ['memory', 'memory.limit_in_bytes', '268435456'],
    ['cpu', 'cpu.cfs_period_us', '100000'],
    ['cpu', 'cpu.cfs_quota_us', '200000'],
    ['pids', 'pids.max', '73'],
  ])
})

test('a group is there for as long as it is held, and goes when its process has ended', async (context) => {
  const base = await baseOr(context)
  const names = (): string[] => readdirSync(base.hostPaths.memory).filter((name) => name.startsWith('wc-held.'))
  const group = await Cgroup.make(base, 'wc-held', limits)
  expect(names()).toHaveLength(1)
  const child = spawn('sleep', ['60'])
  await group.join(child.pid as number)
  const ended = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGKILL')
  await ended
  await group.remove()
  expect(names()).toEqual([])
  // What has ended meanwhile needs none.
  await group.join(child.pid as number)
})

test('what a host that was killed has left is swept, and what a living one holds is left alone', async (context) => {
  const base = await baseOr(context)
  const mine = await Cgroup.make(base, 'wc-mine', limits)
  const dead = 'wc-dead.4194303-1-000000000000.01234567'
  for (const hostPath of new Set(Object.values(base.hostPaths))) mkdirSync(join(hostPath, dead))
  const left = (await cgroupsLeft()).filter(({ name }) => name.endsWith(dead))
  expect(left).toHaveLength(new Set(Object.values(base.hostPaths)).size)
  for (const one of left) {
    expect(one).toMatchObject({ kind: 'group', ownerPid: 4_194_303 })
    expect(await one.remove()).toBe(true)
    expect(await one.remove()).toBe(false)
  }
  expect(existsSync(join(base.hostPaths.memory, dead))).toBe(false)
  expect(readdirSync(base.hostPaths.memory).filter((name) => name.startsWith('wc-mine.'))).toHaveLength(1)
  await mine.remove()
})

test('a group that cannot have its limits is not made', async () => {
  using scratch = new Scratch()
  // A directory stands for a hierarchy that is read-only: nothing in it takes a limit.
  const hostPath = scratch.join('base')
  mkdirSync(hostPath)
  const base: CgroupBase = { version: 1, hostPaths: { memory: hostPath, cpu: hostPath, pids: `${hostPath}/not/there` } }
  await expect(Cgroup.make(base, 'wc-none', limits)).rejects.toThrow('ENOENT')
  expect(readdirSync(hostPath)).toEqual([])
})

async function baseOr(context: { skip(reason: string): void }): Promise<CgroupBase> {
  try {
    const base = await findCgroupBase()
    const probe = await Cgroup.make(base, 'wc-probe', limits)
    await probe.remove()
    return base
  } catch (error) {
    context.skip(`no control groups can be made here: ${(error as Error).message}`)
    throw error
  }
}

test('what still runs in the group of a dead host ends with it, whatever it calls itself', async (context) => {
  const base = await baseOr(context)
  const bases = [...new Set(Object.values(base.hostPaths))]
  const dead = 'wc-hiding.4194303-1-000000000000.89abcdef'
  const child = spawn('sleep', ['60'])
  const ended = once(child, 'exit')
  for (const hostPath of bases) {
    mkdirSync(join(hostPath, dead))
    writeFileSync(join(hostPath, dead, 'cgroup.procs'), String(child.pid))
  }
  for (const one of await cgroupsLeft()) if (one.name.endsWith(dead)) expect(await one.remove()).toBe(true)
  expect(await ended).toEqual([null, 'SIGKILL'])
  expect(bases.filter((hostPath) => existsSync(join(hostPath, dead)))).toEqual([])
})
