/** Bringing the layers of an image here: several at once, and each only once. */

import { setMaxListeners } from 'node:events'
import { linkedSignal } from '../../common/linked-signal.ts'
import { Progress } from '../progress.ts'
import { badImage, PullFailure } from './failure.ts'
import type { Descriptor } from './manifest.ts'
import type { Pull } from './parts.ts'

/** How often is begun anew when somebody prunes what has just been found here. */
const roundsMax = 3

/** @param digest of the manifest */
export async function fetchLayers(parts: Pull, digest: string, layers: readonly Descriptor[]): Promise<void> {
  const { asked, store, announce } = parts
  const wanted = [...new Map(layers.map((layer) => [layer.digest, layer])).values()]
  if (new Set(layers.map((layer) => `${layer.digest} ${layer.size}`)).size > wanted.length)
    throw badImage('it gives one layer two sizes')
  for (let round = 0; round < roundsMax; round++) {
    const here = await Promise.all(wanted.map((layer) => store.has(layer)))
    const missing = wanted.filter((_, index) => !here[index])
    const totalBytes = missing.reduce((sum, { size }) => sum + size, 0)
    if (round === 0) announce({ type: 'pull', reference: asked, digest, layers: missing.length, bytes: totalBytes })
    if (missing.length > 0) {
      const progress = new Progress('transfer', asked, totalBytes, announce)
      await fetchAll(parts, missing, progress)
      progress.finish()
    }
    const touched = await Promise.all(wanted.map((layer) => store.touch(layer.digest)))
    if (touched.every(Boolean)) return
  }
  throw new PullFailure('its layers were removed from the cache meanwhile', { hint: 'Try again.', retryable: true })
}

/** When one fails the others end, and nothing is under way any more when this throws. */
async function fetchAll(
  { source, store, timing, signal }: Pull,
  layers: readonly Descriptor[],
  progress: Progress,
): Promise<void> {
  const failed = new AbortController()
  const linked = linkedSignal([signal, failed.signal])
  setMaxListeners(0, linked.signal)
  const fetches = layers.map(async (layer) => {
    let doneBytes = 0
    const onBytes = (bytes: number): void => {
      progress.add(bytes - doneBytes)
      doneBytes = bytes
    }
    try {
      await store.fetch({ ...layer, kind: 'blob' }, source, { timing, signal: linked.signal, onBytes })
      onBytes(layer.size)
    } catch (error) {
      failed.abort(error)
      throw error
    }
  })
  await Promise.allSettled(fetches)
  linked.unlink()
  signal.throwIfAborted()
  if (failed.signal.aborted) throw failed.signal.reason
}
