/** Reading the documents of an image: which manifests, configuration and layers it is made of. */

import { z } from 'zod'
import { foreignText } from '../../common/text.ts'
import { digestSchema } from './digest.ts'
import { badImage, PullFailure } from './failure.ts'
import { imageBytesMax, layerBytesMax, layersMax } from './limits.ts'
import { compressionOf, isIndexType, isManifestType } from './media-types.ts'

/** What is known of a blob before it is had. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  /** In bytes. */
  readonly size: number
}

/** One image among several. */
export interface IndexEntry extends Descriptor {
  readonly platform?:
    | { readonly os: string; readonly architecture: string; readonly variant?: string | null | undefined }
    | null
    | undefined
  /** Only those that are looked at. */
  readonly annotations?:
    | {
        readonly 'org.opencontainers.image.ref.name'?: string | undefined
        readonly 'io.containerd.image.name'?: string | undefined
        readonly 'vnd.docker.reference.type'?: string | undefined
      }
    | null
    | undefined
}

const descriptor = {
  mediaType: z.string().max(255),
  digest: digestSchema,
  size: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
}
const descriptorSchema: z.ZodType<Descriptor> = z.object(descriptor)
const entrySchema: z.ZodType<IndexEntry> = z.object({
  ...descriptor,
  platform: z
    .object({ os: z.string().max(64), architecture: z.string().max(64), variant: z.string().max(64).nullish() })
    .nullish(),
  annotations: z
    .object({
      'org.opencontainers.image.ref.name': z.string().optional(),
      'io.containerd.image.name': z.string().optional(),
      'vnd.docker.reference.type': z.string().optional(),
    })
    .nullish(),
})

const head = { schemaVersion: z.literal(2), mediaType: z.string().optional() }
const indexSchema = z.object({ ...head, manifests: z.array(entrySchema).max(1_000, 'it lists more than 1,000 images') })
const manifestSchema = z.object({ ...head, config: descriptorSchema, layers: z.array(descriptorSchema) })

export interface ImageIndex {
  readonly kind: 'index'
  readonly entries: readonly IndexEntry[]
}

export interface ImageManifest {
  readonly kind: 'manifest'
  readonly config: Descriptor
  /** The lowest first. */
  readonly layers: readonly Descriptor[]
}

/**
 * What a document says. What it is is told by what is in it, and never by what a server calls it: one document that is two things to two readers is refused
 * (CVE-2021-41190).
 */
export function parseManifest(bytes: Uint8Array): ImageIndex | ImageManifest {
  const document = parseJson(bytes, 'manifest')
  const has = (name: string): boolean => typeof document === 'object' && document !== null && Object.hasOwn(document, name)
  if (has('manifests') && (has('layers') || has('config'))) throw badImage('its manifest is an index and an image at once')
  if (has('fsLayers')) {
    throw new PullFailure('it is stored in the format of Docker before 1.10 (schema 1)', {
      hint: 'Push it again with a tool of this decade: `skopeo copy --format v2s2`.',
    })
  }
  if (has('manifests')) {
    const { mediaType, manifests } = parsed(indexSchema, document, 'index')
    assertCalled(mediaType, isIndexType)
    return { kind: 'index', entries: manifests }
  }
  const { mediaType, config, layers } = parsed(manifestSchema, document, 'manifest')
  assertCalled(mediaType, isManifestType)
  assertSizes(layers)
  return { kind: 'manifest', config, layers }
}

function assertCalled(mediaType: string | undefined, isRight: (mediaType: string) => boolean): void {
  if (mediaType !== undefined && !isRight(mediaType))
    throw badImage(`its manifest calls itself '${foreignText(mediaType, 80)}', and is none`)
}

function assertSizes(layers: readonly Descriptor[]): void {
  if (layers.length > layersMax) throw badImage(`it has ${layers.length} layers, and ${layersMax} are taken at most`)
  for (const { mediaType, size } of layers) {
    compressionOf(mediaType)
    if (size > layerBytesMax) throw badImage(`a layer of it has ${size} bytes, and ${layerBytesMax} are taken at most`)
  }
  const total = layers.reduce((sum, { size }) => sum + size, 0)
  if (total > imageBytesMax) throw badImage(`its layers have ${total} bytes, and ${imageBytesMax} are taken at most`)
}

/** @param what for the message: 'manifest' */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw badImage(`its ${what} is no JSON`, cause)
  }
}

/** Unknown fields are left out. */
export function parsed<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw badImage(
    `its ${what} is not valid at '${foreignText(issue?.path.join('.') ?? '', 80)}': ${foreignText(issue?.message ?? '', 120)}`,
  )
}
