// Installs the contenders that are missing, from Debian.
import { spawnSync } from 'node:child_process'
import { debianPackages } from './contenders/index.mjs'

/** @throws an Error that names the command to run as root, or says that apt-get failed */
export function installContenders() {
  const missing = debianPackages.filter((name) => !isInstalled(name))
  if (missing.length === 0) return
  const command = ['apt-get', 'install', '--yes', '--no-install-recommends', ...missing]
  if (process.getuid() !== 0) throw new Error(`Installing needs root. Run as root: ${command.join(' ')}`)
  const { status } = spawnSync(command[0], command.slice(1), {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  if (status !== 0) throw new Error(`apt-get failed; 'apt-get update' may help. The command was: ${command.join(' ')}`)
}

function isInstalled(name) {
  const { stdout } = spawnSync('dpkg-query', ['--status', name], { encoding: 'utf8' })
  return /^Status: .* installed$/m.test(stdout)
}
