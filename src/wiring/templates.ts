/** The stored templates, put together from the parts of this host. */

import { defaultStateDirectory } from '../host/index.ts'
import { wantedIsolation } from '../pool/index.ts'
import {
  assertBuildOptions,
  assertListOptions,
  assertOpenOptions,
  assertPruneOptions,
  type OpenTemplatesOptions,
  resolveTemplate,
  rooted,
  type TemplateCatalog,
  Templates,
} from '../template/index.ts'
import { assertHardware, openHost } from './host.ts'
import { rootImages } from './images.ts'

/**
 * The templates that are stored on this host: to build them ahead of time, such as when an application is deployed, and to clear them away. A pool builds what it
 * lacks by itself.
 *
 * @throws `INVALID_ARGUMENT`; `HOST_UNSUPPORTED` when this host has no QEMU ≥ 8.2 or no usable state directory; `IMAGE` when the guest image is missing or damaged.
 *
 * @example
 * ```ts
 * const templates = await openTemplates({ isolation: 'emulated' })
 * const { name, digest } = await templates.build('greeter', { setup: ['echo hello > /srv/greeting'] })
 * console.log(name, digest, (await templates.list()).length)
 * await templates.remove(digest)
 * ```
 */
export async function openTemplates(options: OpenTemplatesOptions = {}): Promise<TemplateCatalog> {
  assertOpenOptions(options)
  const isolation = wantedIsolation(options)
  const stateDirectory = options.stateDir ?? defaultStateDirectory()
  const { hypervisor, image } = await openHost(stateDirectory)
  const images = await rootImages(options.registries)
  const templates = new Templates({ hypervisor, image, isolation, stateDirectory })
  return {
    list: async (listing = {}) => {
      assertListOptions(listing)
      return templates.list(listing)
    },
    build: async (name, spec = {}, building = {}) => {
      assertBuildOptions(name, building)
      const template = resolveTemplate(name, spec)
      if (isolation === 'hardware') await assertHardware(hypervisor, image, stateDirectory)
      const { digest, sizeBytes, createdAt } = await templates.snapshot(await rooted(template, images, building), building)
      return { name, digest, sizeBytes, createdAt }
    },
    remove: (nameOrDigest) => templates.remove(nameOrDigest),
    prune: async (pruning = {}) => {
      assertPruneOptions(pruning)
      return templates.prune(pruning)
    },
  }
}
