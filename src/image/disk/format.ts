/** Which file system a disk has, and by what it is known: equal keys, equal files. */

import { createHash } from 'node:crypto'
import type { PulledImage } from '../oci/contract.ts'
import type { RootFormat } from '../root-image.ts'
import type { Tools } from '../tool.ts'

export const diskFormat: RootFormat = 'squashfs'

/** Raised with every change of what a disk is made to, here or in the reading of layers: disks of an older version are made anew. */
export const diskFormatVersion = 1

/** docs/decisions/0020: what was measured, and against what. */
const compressor = 'zstd'
const compressionLevel = 3
const blockBytes = 65_536

export function toolArguments(hostOutputPath: string, jobs: number): string[] {
  return [
    '--quiet',
    // What it cannot take is an error, and nothing is left out in silence.
    '--no-skip',
    // The file is there already, as the one that it may write to.
    '--force',
    ...['--compressor', compressor, '--comp-extra', `level=${compressionLevel}`],
    ...['--block-size', String(blockBytes)],
    ...['--num-jobs', String(jobs)],
    ...['--defaults', 'uid=0,gid=0,mode=0755,mtime=0'],
    hostOutputPath,
  ]
}

/**
 * 64 hex digits: of all that decides a disk's bytes. The order of the layers and what they unpack to, not how they are packed; our own version; the tool's name and version.
 *
 * @throws `HOST_UNSUPPORTED` without the tool
 */
export async function diskKey(image: Pick<PulledImage, 'layers'>, tools: Tools): Promise<string> {
  const facts = [
    diskFormatVersion,
    ...toolArguments('', 0),
    await tools.version('tar2sqfs'),
    ...image.layers.map(({ diffId }) => diffId),
  ]
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex')
}
