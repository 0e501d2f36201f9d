/** What builders and removers that were killed have left where templates lie. */

import { realpath, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { assertPrivateDirectory, type Leftover, leftIn, type Sweeper, ticketsLeft } from '../../host/index.ts'
import { locksDirectory, parseTemporaryName, temporaryName } from './layout.ts'
import { orphansLeft } from './orphans.ts'
import { diskPlacePath, memoryPlacePath } from './place.ts'
import { removeTree } from './remove-tree.ts'

/** Of one state directory: templates half made or half removed, and tickets of their locks. Makes nothing, and believes nothing of a place that is not this user's alone. */
export function templateSweeper(hostStateDirectory: string): Sweeper {
  return async () => {
    const disk = diskPlacePath(hostStateDirectory)
    const memory = memoryPlacePath(await realOrAsNamed(hostStateDirectory)).hostPath
    if (!(await isPrivate(disk))) return draftsIfPrivate(memory)
    return [...(await draftsLeft(disk)), ...(await ticketsLeft(join(disk, locksDirectory))), ...(await draftsIfPrivate(memory))]
  }
}

/** Places in memory whose state directory is gone. Told by a path and not by a process, so it is for whoever asks for it, and nothing that happens by itself. */
export function orphanPlaceSweeper(hostStateDirectory: string): Sweeper {
  return async () => orphansLeft(memoryPlacePath(await realOrAsNamed(hostStateDirectory)).hostPath)
}

/** In one place: of one key, or of all. */
export function draftsLeft(hostPlacePath: string, ofKey?: string): Promise<Leftover[]> {
  return leftIn(hostPlacePath, {
    kind: 'template',
    parse: (name) => {
      const temporary = parseTemporaryName(name)
      return ofKey === undefined || temporary?.key === ofKey ? temporary : undefined
    },
    remove: (hostPath, { key }) => takeAway(hostPlacePath, hostPath, key),
  })
}

/** Under a name of this process's own first: of two that remove it one has it, and if that one is killed too, it is found again. */
async function takeAway(hostPlacePath: string, hostPath: string, key: string): Promise<boolean> {
  const aside = join(hostPlacePath, await temporaryName(key, 'old'))
  try {
    await rename(hostPath, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  await removeTree(aside)
  return true
}

async function draftsIfPrivate(hostPlacePath: string): Promise<Leftover[]> {
  return (await isPrivate(hostPlacePath)) ? draftsLeft(hostPlacePath) : []
}

async function isPrivate(hostPath: string): Promise<boolean> {
  return assertPrivateDirectory(hostPath).then(
    () => true,
    () => false,
  )
}

async function realOrAsNamed(hostPath: string): Promise<string> {
  return realpath(hostPath).catch(() => hostPath)
}
