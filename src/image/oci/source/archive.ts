/** Images of one tar file: what `docker save` writes, in its older and in its newer form, and an OCI layout in a tar file. */

import type { FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import { hexOf } from '../digest.ts'
import { badImage, PullFailure } from '../failure.ts'
import { manifestBytesMax } from '../limits.ts'
import { parseManifest } from '../manifest.ts'
import { formatReference, parseReference, type RegistryReference } from '../reference.ts'
import { askForName, chooseInIndex } from './choose.ts'
import type { ImageSource, OpenedBlob, WantedBlob } from './contract.ts'
import { openedRange, openHostFile, readRange } from './host-file.ts'
import { parseSaved, type SavedImage, savedManifest } from './saved.ts'
import { indexTar, plainName, type TarIndex, type TarPart } from './tar-index.ts'

/** A link to a link to a layer: `docker save` makes one hop. */
const hopsMax = 4

interface Archive {
  readonly file: FileHandle
  readonly index: TarIndex
  /** Of an image whose manifest was made here: where its blobs are. */
  readonly places: Map<string, TarPart>
}

/** The file is opened once: whatever happens to its path meanwhile, all parts are of one file. */
export class ArchiveSource implements ImageSource {
  readonly #hostPath: string
  readonly #name: RegistryReference | undefined
  #archive: Archive | undefined

  constructor(hostPath: string, name: RegistryReference | undefined) {
    this.#hostPath = resolve(hostPath)
    this.#name = name
  }

  async resolve(_known: string | undefined, signal: AbortSignal): Promise<Uint8Array> {
    const archive = await this.#open(signal)
    // The newer form holds the older one's files as well, and beside them the manifest that a registry has.
    const index = await textOf(archive, 'index.json')
    if (index !== undefined && partOf(archive, 'oci-layout') !== undefined) return this.#resolveLayout(archive, index)
    const saved = await textOf(archive, 'manifest.json')
    if (saved === undefined) {
      throw new PullFailure(`${this.#hostPath} has neither manifest.json nor index.json`, {
        hint: 'Make one with `docker save -o FILE NAME:TAG` or `skopeo copy SOURCE docker-archive:FILE:NAME:TAG`.',
      })
    }
    const { bytes, places } = await savedManifest(this.#choose(parseSaved(saved)), {
      partOf: (name) => partOf(archive, name),
      read: (part, bytesMax) => readPart(archive, part, bytesMax),
      file: archive.file,
      signal,
    })
    for (const [digest, part] of places) archive.places.set(digest, part)
    return bytes
  }

  async openBlob(blob: WantedBlob, offset: number, signal: AbortSignal): Promise<OpenedBlob> {
    const archive = await this.#open(signal)
    const part = archive.places.get(blob.digest) ?? blobPart(archive, blob.digest)
    if (part === undefined) throw badImage(`its archive lacks ${blob.digest}`)
    return openedRange(archive.file, part, blob, offset)
  }

  async close(): Promise<void> {
    await this.#archive?.file.close()
    this.#archive = undefined
  }

  async #open(signal: AbortSignal): Promise<Archive> {
    if (this.#archive !== undefined) return this.#archive
    const { file, sizeBytes } = await openHostFile(this.#hostPath)
    try {
      this.#archive = { file, index: await indexTar(file, sizeBytes, signal), places: new Map() }
    } catch (error) {
      await file.close()
      throw error
    }
    return this.#archive
  }

  async #resolveLayout(archive: Archive, text: Uint8Array): Promise<Uint8Array> {
    const index = parseManifest(text)
    if (index.kind !== 'index') throw badImage('its index.json is no index')
    const chosen = chooseInIndex(
      index.entries,
      ({ annotations }) => {
        const full = annotations?.['io.containerd.image.name'] ?? annotations?.['org.opencontainers.image.ref.name']
        return full === undefined ? undefined : fullName(full)
      },
      this.#name && formatReference(this.#name),
    )
    if ('bytes' in chosen) return chosen.bytes
    const part = blobPart(archive, chosen.digest)
    if (part === undefined) throw badImage(`its archive lacks ${chosen.digest}`)
    return readPart(archive, part, manifestBytesMax)
  }

  #choose(images: readonly SavedImage[]): SavedImage {
    const names = images.flatMap(({ RepoTags }) => RepoTags ?? [])
    const wanted = this.#name && formatReference(this.#name)
    if (wanted === undefined && images.length > 1) throw askForName('it holds several images', names)
    const image =
      wanted === undefined ? images[0] : images.find(({ RepoTags }) => RepoTags?.some((name) => fullName(name) === wanted))
    if (image === undefined)
      throw askForName(wanted === undefined ? 'it holds no image' : `it holds no image named '${wanted}'`, names)
    return image
  }
}

/** As `formatReference` writes it; what is no reference stays as it is, and is never meant. */
function fullName(name: string): string {
  try {
    return formatReference(parseReference(name))
  } catch {
    return name
  }
}

function blobPart(archive: Archive, digest: string): TarPart | undefined {
  return partOf(archive, `blobs/sha256/${hexOf(digest)}`)
}

/** A name, or what it is a link to: links are of names in the archive, and lead nowhere else. */
function partOf({ index }: Archive, name: string): TarPart | undefined {
  let current = plainName(name)
  for (let hop = 0; hop < hopsMax; hop++) {
    const part = index.parts.get(current)
    if (part !== undefined) return part
    const link = index.links.get(current)
    if (link === undefined) return undefined
    current = linked(current, link)
  }
  return undefined
}

/** `a/layer.tar` → `../b/layer.tar` is `b/layer.tar`; a hard link names its target from the top. */
function linked(name: string, link: string): string {
  const parts = link.startsWith('.') ? name.split('/').slice(0, -1) : []
  for (const part of plainName(link).split('/')) {
    if (part === '..') parts.pop()
    else parts.push(part)
  }
  return parts.join('/')
}

async function textOf(archive: Archive, name: string): Promise<Uint8Array | undefined> {
  const part = partOf(archive, name)
  return part && readPart(archive, part, manifestBytesMax)
}

async function readPart({ file }: Archive, { from, to }: TarPart, bytesMax: number): Promise<Uint8Array> {
  if (to - from > bytesMax) throw badImage(`a document in its archive has more than ${bytesMax} bytes`)
  return readRange(file, from, to - from)
}
