/** Container images of layers that a test has made, as if they had been pulled. */

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { makeDisk } from '../../src/image/disk/index.ts'
import type { LayerCompression, PulledImage, PulledLayer } from '../../src/image/oci/contract.ts'
import { Tools } from '../../src/image/tool.ts'
import { program } from './run.ts'
import type { Scratch } from './scratch.ts'

export interface MadeLayer {
  readonly tar: Buffer
  readonly compression?: LayerCompression
  /** In place of what it is packed to. */
  readonly blob?: Buffer
  readonly diffId?: string
}

/** What holds them on this machine is found out once for a file of tests. */
export const tools: Tools = new Tools(join(process.env.XDG_STATE_HOME as string, 'programs'))

export function diskOf(
  image: PulledImage,
  hostOutputPath: string,
  options: Partial<Parameters<typeof makeDisk>[2]> = {},
): ReturnType<typeof makeDisk> {
  return makeDisk(image, hostOutputPath, { tools, ...options })
}

let made = 0

export function pulledImage(scratch: Scratch, ...layers: readonly (Buffer | MadeLayer)[]): PulledImage {
  const pulled = layers.map((layer) => pulledLayer(scratch, Buffer.isBuffer(layer) ? { tar: layer } : layer))
  const config = { env: [], user: '', workingDirectory: '', entrypoint: [], command: [] }
  return { reference: 'test:latest', digest: digestOf(Buffer.from(String(++made))), config, layers: pulled }
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function pulledLayer(
  scratch: Scratch,
  { tar, compression = 'none', blob = packed(tar, compression), diffId = digestOf(tar) }: MadeLayer,
): PulledLayer {
  return { digest: digestOf(blob), diffId, compression, sizeBytes: blob.length, hostPath: scratch.file(`blobs/${++made}`, blob) }
}

function packed(tar: Buffer, compression: LayerCompression): Buffer {
  if (compression === 'none') return tar
  return compression === 'gzip' ? gzipSync(tar) : program('zstd', ['-q', '-c'], tar)
}
