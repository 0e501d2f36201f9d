/** What `docker save` wrote before it wrote manifests: a list of files. A manifest is made of it, the same one each time. */

import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { z } from 'zod'
import { parseConfiguration } from '../config.ts'
import { digestOf } from '../digest.ts'
import { badImage } from '../failure.ts'
import { configBytesMax, layersMax } from '../limits.ts'
import { parsed, parseJson } from '../manifest.ts'
import { ociConfigType, ociLayerType, ociManifestType } from '../media-types.ts'
import { piecesOf, readRange } from './host-file.ts'
import type { TarPart } from './tar-index.ts'

/** One image of `manifest.json`, in its own words. */
export interface SavedImage {
  readonly Config: string
  readonly RepoTags?: readonly string[] | null | undefined
  readonly Layers?: readonly string[] | null | undefined
}

const pathSchema = z.string().min(1).max(512)
const savedSchema: z.ZodType<SavedImage[]> = z
  .array(
    z.object({
      Config: pathSchema,
      RepoTags: z.array(z.string().max(512)).max(1_000).nullish(),
      Layers: z.array(pathSchema).max(layersMax, `an image has at most ${layersMax} layers`).nullish(),
    }),
  )
  .max(1_000)

export function parseSaved(bytes: Uint8Array): SavedImage[] {
  return parsed(savedSchema, parseJson(bytes, 'manifest.json'), 'manifest.json')
}

/** How the archive is looked into. */
export interface SavedReader {
  readonly partOf: (name: string) => TarPart | undefined
  readonly read: (part: TarPart, bytesMax: number) => Promise<Uint8Array>
  readonly file: FileHandle
  readonly signal: AbortSignal
}

/** The manifest, and where its blobs are. */
export async function savedManifest(
  image: SavedImage,
  reader: SavedReader,
): Promise<{ bytes: Uint8Array; places: ReadonlyMap<string, TarPart> }> {
  const places = new Map<string, TarPart>()
  const place = (name: string): TarPart => {
    const part = reader.partOf(name)
    if (part === undefined) throw badImage(`its archive lacks a file that its manifest.json names`)
    return part
  }
  const configPart = place(image.Config)
  const configBytes = await reader.read(configPart, configBytesMax)
  const names = image.Layers ?? []
  const { diffIds } = parseConfiguration(configBytes, names.length)
  const layers = []
  for (const [index, name] of names.entries()) {
    const part = place(name)
    const suffix = await packingOf(reader.file, part)
    // What is not packed has its own digest for a diff id; whether that is true is seen when it is copied.
    const digest = suffix === '' ? (diffIds[index] as string) : await digestOfPart(reader, part)
    places.set(digest, part)
    layers.push({ mediaType: `${ociLayerType}${suffix}`, digest, size: part.to - part.from })
  }
  const config = { mediaType: ociConfigType, digest: digestOf(configBytes), size: configBytes.length }
  places.set(config.digest, configPart)
  return { bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociManifestType, config, layers })), places }
}

const magics = [
  { suffix: '+gzip', bytes: Buffer.from([0x1f, 0x8b]) },
  { suffix: '+zstd', bytes: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) },
] as const

/** Docker packs no layer here; others do. */
async function packingOf(file: FileHandle, { from, to }: TarPart): Promise<'' | '+gzip' | '+zstd'> {
  const head = await readRange(file, from, Math.min(4, to - from))
  return magics.find(({ bytes }) => head.subarray(0, bytes.length).equals(bytes))?.suffix ?? ''
}

async function digestOfPart({ file, signal }: SavedReader, { from, to }: TarPart): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of piecesOf(file, from, to)) {
    signal.throwIfAborted()
    hash.update(piece)
  }
  return `sha256:${hash.digest('hex')}`
}
