// A container by podman, the way a user starts one, from a local image: no registry and no network.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { outputOf, runUntimed } from './program.mjs'

const image = 'warmcell-bench'
const cgroup = `warmcell-bench-${process.pid}`

/** Made by the first podman on a machine; removed when this was the first. */
const hostLockPath = '/dev/shm/libpod_lock'
let lockWasThere = true

/** Found once: looking for them is no part of a run. */
let limits = []

/** Linux's number of the capability to raise a resource limit. */
const capSysResource = 24n

/** Enough for `true`, and below what any machine lets a process have: podman starts its containers with a little less than it has itself. */
const limitMax = 4_096

/** Storage, state and cgroup of its own: nothing of the user's podman is touched, and all of it can be removed. */
const own = ({ hostDirectory }) => [
  ...['--root', join(hostDirectory, 'storage')],
  ...['--runroot', join(hostDirectory, 'run')],
  ...['--tmpdir', join(hostDirectory, 'tmp')],
  ...['--storage-driver', 'overlay', '--cgroup-manager', 'cgroupfs', '--events-backend', 'none'],
]

/** @type {import('./contender.mjs').Recipe} */
export const podman = {
  name: 'podman',
  what: 'podman run --rm --network none, a busybox image',
  debianPackage: 'podman',
  program: 'podman',
  needsRoot: true,
  async prepare(place) {
    lockWasThere = existsSync(hostLockPath)
    limits = lowerLimits()
    const hostArchivePath = join(place.hostDirectory, 'root.tar')
    await runUntimed('tar', ['-C', place.hostRootPath, '-cf', hostArchivePath, '.'])
    await runUntimed('podman', [...own(place), 'import', '--quiet', hostArchivePath, image])
  },
  command: (place) => [
    'podman',
    [...own(place), 'run', '--rm', '--network', 'none', '--cgroup-parent', cgroup, ...limits, image, '/bin/true'],
  ],
  async cleanup(place) {
    await runUntimed('podman', [...own(place), 'rm', '--all', '--force']).catch(() => {})
    // podman keeps its storage mounted onto itself.
    await outputOf('umount', ['--recursive', join(place.hostDirectory, 'storage', 'overlay')])
    if (!lockWasThere) await rm(hostLockPath, { force: true })
    for (const hostPath of cgroupTrees()) await removeCgroup(join(hostPath, cgroup))
  },
}

/** podman's default limits are above those of a process that may not raise its own: then they are lowered. */
function lowerLimits() {
  const mayRaise = (BigInt(`0x${/^CapEff:\s+(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]}`) >> capSysResource) & 1n
  if (mayRaise) return []
  const hard = (name) =>
    Number(new RegExp(`^${name}\\s+\\S+\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Infinity)
  const both = (name, value) => ['--ulimit', `${name}=${value}:${value}`]
  return [
    ...both('nofile', Math.min(limitMax, hard('Max open files'))),
    ...both('nproc', Math.min(limitMax, hard('Max processes'))),
  ]
}

/** Where control groups are mounted: one tree of version 2, or one for each controller. */
function cgroupTrees() {
  return [...readFileSync('/proc/self/mounts', 'utf8').matchAll(/^\S+ (\S+) cgroup2? /gm)].map(([, hostPath]) => hostPath)
}

/** Only directories can be removed from a cgroup tree, the deepest first. */
async function removeCgroup(hostPath) {
  if (!existsSync(hostPath)) return
  for (const entry of readdirSync(hostPath, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(join(hostPath, entry.name))
  }
  await rmdir(hostPath)
}
