/** Where an image comes from: a registry, or a file or directory of this host. Nothing that it gives is believed: whoever takes it checks size and digest. */

import type { Descriptor } from '../manifest.ts'

/** A manifest is asked for in another place than everything else. */
export interface WantedBlob extends Descriptor {
  readonly kind: 'manifest' | 'blob'
}

/** A blob's bytes from an offset on, which is the one that was asked for, or 0 where the other side begins anew. */
export interface OpenedBlob {
  readonly offset: number
  /** Must be read or returned from: what it holds is open until then. */
  readonly body: AsyncIterable<Uint8Array>
  /** What came was not what it should be, or broke off. Returns whether somebody else is asked from now on. */
  readonly discredit: () => boolean
}

export interface ImageSource {
  /**
   * The bytes of the manifest or index that the reference means.
   *
   * @param known its digest when it was last asked for
   * @returns undefined when it still means the one that is known
   */
  resolve(known: string | undefined, signal: AbortSignal): Promise<Uint8Array | undefined>
  openBlob(blob: WantedBlob, offset: number, signal: AbortSignal): Promise<OpenedBlob>
  close(): Promise<void>
}
