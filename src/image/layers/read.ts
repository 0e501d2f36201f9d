/** Reads an image's layers, twice: first for the tree of its files, then for what is in them. */

import { WarmcellError } from '../../errors.ts'
import type { PulledImage, PulledLayer } from '../oci/contract.ts'
import { Refusal, TarReader } from '../tar/index.ts'
import type { Tools } from '../tool.ts'
import { ImageTree } from './apply.ts'
import { layerFailure } from './failure.ts'
import type { LayerLimits } from './limits.ts'
import type { Directory, Leaf } from './tree.ts'
import { unpacked } from './unpack.ts'

export interface ReadOptions {
  readonly limits: LayerLimits
  readonly tools: Tools
  /** Told of each so many bytes of blobs that were read. */
  readonly onRead: (bytes: number) => void
  readonly signal?: AbortSignal | undefined
}

/** The tree that all layers make together. @throws `IMAGE` for layers that break a rule */
export async function readTree(image: PulledImage, options: ReadOptions): Promise<Directory> {
  const { limits, signal } = options
  if (image.layers.length > limits.layersMax)
    throw new WarmcellError(
      'IMAGE',
      `The image ${image.digest} has ${image.layers.length} layers: ${limits.layersMax} are the most.`,
    )
  const tree = new ImageTree(limits)
  let imageBytes = 0
  for (const [index, layer] of image.layers.entries()) {
    await worded(layer, signal, async () => {
      const reader = new TarReader()
      let ordinal = 0
      for await (const piece of unpacked(layer, limits, options.tools, options.onRead)) {
        signal?.throwIfAborted()
        imageBytes += piece.length
        if (imageBytes > limits.imageBytesMax)
          throw new Refusal(`and the layers below it unpack to more than ${limits.imageBytesMax} bytes`)
        for (const event of reader.push(piece)) if (event.type === 'entry') tree.apply(index, ordinal++, event.entry)
      }
      reader.end()
    })
  }
  return tree.root
}

/** The bytes of a file, in pieces: those between two files are of the first. */
type Contents = { readonly type: 'file'; readonly leaf: Leaf } | { readonly type: 'content'; readonly bytes: Buffer }

/**
 * The content of all files of a tree that have any, in the order of the layers.
 *
 * @param wanted by layer, then by the entry's number in it
 * @throws `IMAGE` when a layer is no more what it was
 */
export async function* contentsOf(
  image: PulledImage,
  wanted: readonly ReadonlyMap<number, Leaf>[],
  options: ReadOptions,
): AsyncGenerator<Contents, void, void> {
  for (const [index, layer] of image.layers.entries()) {
    const files = wanted[index]
    // Nothing is taken from it, so nothing has to be verified again.
    if (files === undefined || files.size === 0) options.onRead(layer.sizeBytes)
    else yield* layerContents(layer, files, options)
  }
}

async function* layerContents(
  layer: PulledLayer,
  files: ReadonlyMap<number, Leaf>,
  { limits, tools, onRead, signal }: ReadOptions,
): AsyncGenerator<Contents, void, void> {
  const reader = new TarReader()
  let ordinal = 0
  let taken = 0
  let taking = false
  try {
    for await (const piece of unpacked(layer, limits, tools, onRead)) {
      signal?.throwIfAborted()
      for (const event of reader.push(piece)) {
        if (event.type === 'content') {
          if (taking) yield event
          continue
        }
        const leaf = files.get(ordinal++)
        taking = leaf !== undefined
        if (leaf === undefined) continue
        if (event.entry.sizeBytes !== leaf.sizeBytes) throw new Refusal('has changed while it was read', event.entry.name)
        taken++
        yield { type: 'file', leaf }
      }
    }
    reader.end()
    if (taken < files.size) throw new Refusal('has changed while it was read')
  } catch (cause) {
    throw layerFailure(layer.digest, cause, signal)
  }
}

async function worded(layer: PulledLayer, signal: AbortSignal | undefined, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (cause) {
    throw layerFailure(layer.digest, cause, signal)
  }
}
