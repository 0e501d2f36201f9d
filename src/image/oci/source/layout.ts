/** Images of a directory in the OCI's image layout: https://github.com/opencontainers/image-spec/blob/main/image-layout.md */

import { join, resolve } from 'node:path'
import { hexOf } from '../digest.ts'
import { badImage, PullFailure } from '../failure.ts'
import { manifestBytesMax } from '../limits.ts'
import { parseManifest } from '../manifest.ts'
import { chooseInIndex } from './choose.ts'
import type { ImageSource, OpenedBlob, WantedBlob } from './contract.ts'
import { openedRange, openHostFile, readHostFile } from './host-file.ts'

export class LayoutSource implements ImageSource {
  readonly #hostPath: string
  readonly #tag: string | undefined

  constructor(hostPath: string, tag: string | undefined) {
    this.#hostPath = resolve(hostPath)
    this.#tag = tag
  }

  async resolve(): Promise<Uint8Array> {
    await readHostFile(join(this.#hostPath, 'oci-layout'), 4_096).catch((cause: unknown) => {
      throw new PullFailure(`${this.#hostPath} is no OCI layout: it has no readable file oci-layout`, {
        hint: 'Make one with `skopeo copy SOURCE oci:DIRECTORY:TAG`.',
        cause,
      })
    })
    const index = parseManifest(await readHostFile(join(this.#hostPath, 'index.json'), manifestBytesMax))
    if (index.kind !== 'index') throw badImage('its index.json is no index')
    const chosen = chooseInIndex(
      index.entries,
      ({ annotations }) => annotations?.['org.opencontainers.image.ref.name'],
      this.#tag,
    )
    return 'bytes' in chosen ? chosen.bytes : readHostFile(this.#blobPath(chosen.digest), manifestBytesMax)
  }

  async openBlob(blob: WantedBlob, offset: number): Promise<OpenedBlob> {
    const { file, sizeBytes } = await openHostFile(this.#blobPath(blob.digest))
    return openedRange(file, { from: 0, to: sizeBytes }, blob, offset, () => file.close())
  }

  async close(): Promise<void> {}

  #blobPath(digest: string): string {
    return join(this.#hostPath, 'blobs', 'sha256', hexOf(digest))
  }
}
