/** An image of a registry and of its mirrors: whom to ask, in which order. */

import type { Registries } from '../contract.ts'
import type { RegistryReference } from '../reference.ts'
import type { ImageSource, OpenedBlob, WantedBlob } from '../source/contract.ts'
import type { Timing } from '../timing.ts'
import { Endpoint } from './endpoint.ts'
import { mirrorOf } from './options.ts'
import { Transport } from './transport.ts'

export class RegistrySource implements ImageSource {
  readonly #version: string
  readonly #transport: Transport
  /** The mirrors, then the registry itself. A mirror that has failed is not asked again for this image. */
  readonly #endpoints: Endpoint[]

  constructor({ registry, repository, version }: RegistryReference, registries: Registries, timing: Timing) {
    this.#version = version
    const optionsOf = (host: string) => (Object.hasOwn(registries, host) ? (registries[host] ?? {}) : {})
    const transport = new Transport(timing, (host) => optionsOf(host).plainHttp === true)
    this.#transport = transport
    const mirrors = (optionsOf(registry).mirrors ?? []).map((mirror) => mirrorOf(mirror, repository))
    this.#endpoints = [...mirrors, { registry, repository }].map(
      (place) => new Endpoint({ transport, timing, ...place, options: optionsOf(place.registry) }),
    )
  }

  async resolve(known: string | undefined, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.#inOrder(signal, async (endpoint) => {
      if (known !== undefined && (await endpoint.headManifest(this.#version, signal)) === known) return undefined
      return endpoint.manifest(this.#version, signal)
    })
  }

  async openBlob(blob: WantedBlob, offset: number, signal: AbortSignal): Promise<OpenedBlob> {
    return this.#inOrder(signal, async (endpoint) => {
      const opened = await endpoint.blob(blob, offset, signal)
      return { ...opened, discredit: () => this.#forget(endpoint) }
    })
  }

  async close(): Promise<void> {
    await this.#transport.close()
  }

  /** What the last one says of it is what the caller hears. */
  async #inOrder<T>(signal: AbortSignal, ask: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    for (;;) {
      const endpoint = this.#endpoints[0] as Endpoint
      try {
        return await ask(endpoint)
      } catch (error) {
        signal.throwIfAborted()
        if (!this.#forget(endpoint)) throw error
      }
    }
  }

  /** Returns whether there is another. The registry itself is never forgotten. */
  #forget(endpoint: Endpoint): boolean {
    const at = this.#endpoints.indexOf(endpoint)
    if (at >= 0 && at < this.#endpoints.length - 1) this.#endpoints.splice(at, 1)
    return endpoint !== this.#endpoints.at(-1)
  }
}
