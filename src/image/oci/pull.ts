/** A container image, by its reference, onto this host: all of it, verified, and what it says of itself. */

import { setMaxListeners } from 'node:events'
import { guarded } from '../../common/guarded.ts'
import { linkedSignal } from '../../common/linked-signal.ts'
import { parseConfiguration } from './config.ts'
import type { ImageEvent, PulledImage, PulledLayer } from './contract.ts'
import { documentOf, findManifest, rememberTop, topDigest } from './documents.ts'
import { imageFailure, PullFailure } from './failure.ts'
import { fetchLayers } from './layers.ts'
import { configBytesMax } from './limits.ts'
import { compressionOf } from './media-types.ts'
import { assertPullOptions, type PullOptions } from './options.ts'
import type { Pull } from './parts.ts'
import { architectureNameOf } from './platform.ts'
import { type ImageReference, parseReference } from './reference.ts'
import { RegistrySource } from './registry/source.ts'
import { ArchiveSource } from './source/archive.ts'
import type { ImageSource } from './source/contract.ts'
import { LayoutSource } from './source/layout.ts'
import { BlobStore } from './store/store.ts'
import { defaultTiming, type Timing } from './timing.ts'

/**
 * Brings an image of one platform here, or finds it here. With the policy 'missing' a registry is asked only for what this host has never had; 'always' asks what a
 * tag stands for now. Files and directories are looked at each time.
 *
 * @throws `INVALID_ARGUMENT`; `IMAGE`, which names the reference and says what to do; the signal's reason.
 */
export async function pullImage(reference: string, options: PullOptions): Promise<PulledImage> {
  return pullPatiently(reference, options, defaultTiming)
}

/** @param timing how long a registry is waited for */
export async function pullPatiently(reference: string, options: PullOptions, timing: Timing): Promise<PulledImage> {
  assertPullOptions(reference, options)
  const { cacheDirectory, registries = {}, architecture = process.arch, policy = 'missing', onEvent } = options
  const parsed = parseReference(reference)
  options.signal?.throwIfAborted()
  const { signal, unlink } = linkedSignal([options.signal])
  // As many as an image has layers.
  setMaxListeners(0, signal)
  const source = sourceOf(parsed, registries, timing)
  try {
    const store = await BlobStore.open(cacheDirectory)
    const announce = (event: ImageEvent): void => guarded(() => onEvent?.(event))
    const names = { asked: reference, reference: parsed, policy, architecture: architectureNameOf(architecture) }
    return await pull({ ...names, source, store, timing, signal, announce })
  } catch (error) {
    options.signal?.throwIfAborted()
    throw imageFailure(reference, error)
  } finally {
    unlink()
    await source.close()
  }
}

function sourceOf(reference: ImageReference, registries: NonNullable<PullOptions['registries']>, timing: Timing): ImageSource {
  switch (reference.kind) {
    case 'registry':
      return new RegistrySource(reference, registries, timing)
    case 'layout':
      return new LayoutSource(reference.hostPath, reference.tag)
    case 'archive':
      return new ArchiveSource(reference.hostPath, reference.name)
  }
}

async function pull(parts: Pull): Promise<PulledImage> {
  const { asked, architecture, store } = parts
  const top = await topDigest(parts)
  const { digest, manifest } = await findManifest(parts, top)
  const configBytes = await documentOf(parts, manifest.config, 'blob', configBytesMax)
  const { os, architecture: builtFor, config, diffIds } = parseConfiguration(configBytes, manifest.layers.length)
  if (os !== 'linux' || builtFor !== architecture) {
    throw new PullFailure(`it is for ${os}/${builtFor}, not for linux/${architecture}`, {
      hint: 'Use an image that was built for this processor.',
    })
  }
  await fetchLayers(parts, digest, manifest.layers)
  await rememberTop(parts, top)
  const layers = manifest.layers.map((layer, index): PulledLayer => {
    const { digest, mediaType, size } = layer
    const diffId = diffIds[index] as string
    return { digest, diffId, compression: compressionOf(mediaType), sizeBytes: size, hostPath: store.hostPath(digest) }
  })
  return { reference: asked, digest, config, layers }
}
