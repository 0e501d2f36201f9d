/** The documents of an image: from its reference down to the manifest of one platform, and what that names. */

import { isDigest } from './digest.ts'
import { badImage, PullFailure } from './failure.ts'
import { indexDepthMax, manifestBytesMax } from './limits.ts'
import { type Descriptor, type ImageManifest, parseManifest } from './manifest.ts'
import type { Pull } from './parts.ts'
import { chooseEntry } from './platform.ts'
import { formatReference } from './reference.ts'
import { rememberDigest, rememberedDigest } from './store/references.ts'
import { withRetries } from './timing.ts'

/** What the reference stands for: an index or a manifest, which is in the store when this returns. */
export async function topDigest({ reference, policy, source, store, timing, signal }: Pull): Promise<string> {
  const name = formatReference(reference)
  const isFixed = reference.kind === 'registry' && isDigest(reference.version)
  const remembered = isFixed
    ? reference.version
    : reference.kind === 'registry'
      ? await rememberedDigest(store.layout, name)
      : undefined
  const known =
    remembered !== undefined && (await store.read(remembered, manifestBytesMax)) !== undefined ? remembered : undefined
  if (known !== undefined && (isFixed || policy === 'missing')) return known
  const bytes = await withRetries({ timing, signal }, () => source.resolve(known, signal))
  return bytes === undefined ? (known as string) : store.put(bytes, signal)
}

/** For the next time; when all of the image is here. One whose layers never came would be asked for under a digest that the registry may not have any more. */
export async function rememberTop({ reference, store }: Pull, digest: string): Promise<void> {
  if (reference.kind !== 'registry' || isDigest(reference.version)) return
  const name = formatReference(reference)
  if ((await rememberedDigest(store.layout, name)) !== digest) await rememberDigest(store.layout, name, digest)
}

/** Down to the manifest of this platform. */
export async function findManifest(parts: Pull, top: string, depth = 0): Promise<{ digest: string; manifest: ImageManifest }> {
  const bytes = await parts.store.read(top, manifestBytesMax)
  if (bytes === undefined)
    throw new PullFailure('its manifest was removed from the cache meanwhile', { hint: 'Try again.', retryable: true })
  await parts.store.touch(top)
  const manifest = parseManifest(bytes)
  if (manifest.kind === 'manifest') return { digest: top, manifest }
  if (depth === indexDepthMax) throw badImage(`its manifests lie more than ${indexDepthMax} indexes deep`)
  const chosen = chooseEntry(manifest.entries, parts.architecture)
  await documentOf(parts, chosen, 'manifest', manifestBytesMax)
  return findManifest(parts, chosen.digest, depth + 1)
}

/** A document that another names. */
export async function documentOf(
  parts: Pull,
  descriptor: Descriptor,
  kind: 'manifest' | 'blob',
  bytesMax: number,
): Promise<Uint8Array> {
  const { source, store, timing, signal } = parts
  const { digest, size } = descriptor
  if (size > bytesMax) throw badImage(`a document of it has ${size} bytes, and ${bytesMax} are taken at most`)
  const here = await store.read(digest, bytesMax)
  if (here === undefined) await store.fetch({ ...descriptor, kind }, source, { timing, signal, onBytes: () => {} })
  const bytes = here ?? (await store.read(digest, bytesMax))
  if (bytes === undefined)
    throw new PullFailure('a document of it was removed from the cache meanwhile', { hint: 'Try again.', retryable: true })
  if (bytes.length !== size) throw badImage('a document of it has another size than what names it says')
  await store.touch(digest)
  return bytes
}
