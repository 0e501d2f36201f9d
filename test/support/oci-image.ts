/** Small container images for tests: their documents and blobs in memory, and written down as an OCI layout. */

import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import type { Scratch } from './scratch.ts'

type Kind = 'manifest' | 'index' | 'config' | 'tar' | 'gzip'

/** The OCI's names. */
export const types: Readonly<Record<Kind, string>> = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  tar: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
}

export interface Blob {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

export interface Image {
  readonly manifest: Blob
  readonly config: Blob
  readonly layers: readonly Blob[]
  /** Everything, by digest. */
  readonly blobs: ReadonlyMap<string, Buffer>
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

export function blobOf(bytes: Uint8Array, mediaType: string): Blob {
  return { mediaType, digest: sha256(bytes), size: bytes.length }
}

export interface ImageOptions {
  /** The contents of one file of each layer. */
  readonly files?: readonly Buffer[]
  readonly architecture?: string
  readonly isPacked?: boolean
  /** Instead of what is right. */
  readonly config?: unknown
  readonly change?: (manifest: Record<string, unknown>) => unknown
}

/** The whole configuration that tests look for. */
const settings = { Env: ['PATH=/bin', 'A=b=c'], User: 'app:100', WorkingDir: '/srv', Entrypoint: ['/bin/sh', '-c'], Cmd: null }

export async function makeImage(options: ImageOptions = {}): Promise<Image> {
  const { files = [randomBytes(2_000), randomBytes(1_000)], architecture = 'amd64', isPacked = true } = options
  const tars = await Promise.all(files.map(tarOf))
  const blobs = new Map<string, Buffer>()
  const add = (bytes: Buffer, mediaType: string): Blob => {
    const blob = blobOf(bytes, mediaType)
    blobs.set(blob.digest, bytes)
    return blob
  }
  const layers = tars.map((tar) => (isPacked ? add(gzipSync(tar, { level: 1 }), types.gzip) : add(tar, types.tar)))
  const right = {
    architecture,
    os: 'linux',
    config: settings,
    rootfs: { type: 'layers', diff_ids: tars.map(sha256) },
    history: [],
  }
  const config = add(json(options.config ?? right), types.config)
  const document = { schemaVersion: 2, mediaType: types.manifest, config, layers }
  const manifest = add(json(options.change?.(document) ?? document), types.manifest)
  return { manifest, config, layers, blobs }
}

/** One of several images, for the platform of each. */
export function indexOf(entries: readonly (Blob & { platform?: unknown; annotations?: unknown })[]): Buffer {
  return json({ schemaVersion: 2, mediaType: types.index, manifests: entries })
}

export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

/** @param tagged image by tag. Returns the directory's path. */
export function writeLayout(scratch: Scratch, name: string, tagged: Readonly<Record<string, Image>>): string {
  scratch.file(join(name, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  for (const { blobs } of Object.values(tagged)) {
    for (const [digest, bytes] of blobs) scratch.file(join(name, 'blobs', 'sha256', digest.slice(7)), bytes)
  }
  const entries = Object.entries(tagged).map(([tag, { manifest }]) => ({
    ...manifest,
    annotations: { 'org.opencontainers.image.ref.name': tag },
  }))
  scratch.file(join(name, 'index.json'), indexOf(entries))
  return scratch.join(name)
}

/** A tar file with one file. */
async function tarOf(content: Buffer): Promise<Buffer> {
  return tarWith({ file: content })
}

/** A tar file with files by their names. */
export async function tarWith(files: Readonly<Record<string, Buffer | { linkname: string }>>): Promise<Buffer> {
  const tar = pack()
  for (const [name, content] of Object.entries(files)) {
    if ('linkname' in content) tar.entry({ name, type: 'symlink', linkname: content.linkname, mtime: new Date(0) })
    else tar.entry({ name, mtime: new Date(0) }, content)
  }
  tar.finalize()
  const pieces: Uint8Array[] = []
  for await (const piece of tar) pieces.push(piece as Uint8Array)
  return Buffer.concat(pieces)
}
