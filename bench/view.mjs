// The view of the host that the suite runs in: mounts of its own, and cgroups that every contender accepts.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'

/** A hybrid tree has version 1 hierarchies and version 2 here; crun 1.8, Debian 12's, refuses to run in one. An empty
 * file system in its place keeps what others write there. */
const unified = '/sys/fs/cgroup/unified'

const inside = 'WARMCELL_BENCH_VIEW'

/**
 * Runs the suite once more in a mount namespace of its own: mounts that a contender leaves end with it, and version 2 can be taken out of a hybrid
 * cgroup tree without anybody else noticing. All contenders run in the same view, so no single one pays for it.
 *
 * @returns {Promise<number | undefined>} its exit code; undefined where the suite is to run right here
 */
export async function runInView(argv) {
  if (process.env[inside] || process.getuid() !== 0) return undefined
  const options = ['--mount', '--propagation', 'private']
  if (spawnSync('unshare', [...options, 'true']).status !== 0) return undefined
  const enter = existsSync(unified) ? `umount ${unified} && mount -t tmpfs none ${unified} && exec "$@"` : 'exec "$@"'
  const child = spawn('unshare', [...options, 'sh', '-c', enter, 'sh', process.execPath, ...argv], {
    stdio: 'inherit',
    env: { ...process.env, [inside]: existsSync(unified) ? 'version 1 cgroups only' : 'as it is' },
  })
  // A terminal tells the whole group; whoever tells this process alone means the suite.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  const [code] = await once(child, 'exit')
  return code ?? 1
}

/** What the result says of it. */
export const view = () => process.env[inside] ?? 'no mount namespace of its own'
