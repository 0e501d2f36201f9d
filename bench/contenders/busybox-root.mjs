// The root file system that the containers run in: a static busybox and nothing else.
import { chmod, copyFile, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { outputOf } from './program.mjs'

/** @throws when there is no busybox, or one that needs a host's libraries */
export async function makeBusyboxRoot(hostRootPath) {
  const busybox = await outputOf('sh', ['-c', 'command -v busybox'])
  if (!busybox) throw new Error('busybox is not installed (Debian: busybox-static)')
  for (const directory of ['bin', 'dev', 'etc', 'proc', 'run', 'sys', 'tmp']) {
    await mkdir(join(hostRootPath, directory), { recursive: true })
  }
  await copyFile(busybox, join(hostRootPath, 'bin', 'busybox'))
  await chmod(join(hostRootPath, 'bin', 'busybox'), 0o755)
  for (const name of ['true', 'sh']) await symlink('busybox', join(hostRootPath, 'bin', name))
}
