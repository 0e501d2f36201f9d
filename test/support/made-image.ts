/** Container images of layers that a test has made, as if they had been pulled. */

import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { LayerCompression, PulledImage, PulledLayer } from '../../src/image/oci/contract.ts'
import { program } from './run.ts'
import type { Scratch } from './scratch.ts'

export interface MadeLayer {
  readonly tar: Buffer
  readonly compression?: LayerCompression
  /** In place of what it is packed to. */
  readonly blob?: Buffer
  readonly diffId?: string
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
