/** How an image is named: of a registry by Docker's rules, or as a file or directory of this host. */

import { foreignText } from '../../common/text.ts'
import { WarmcellError } from '../../errors.ts'
import { isDigest } from './digest.ts'

/** An image of a registry: by tag, or by digest, which then says all. */
export interface RegistryReference {
  readonly kind: 'registry'
  /** `host[:port]`, `docker.io` for Docker Hub. */
  readonly registry: string
  /** `library/python` */
  readonly repository: string
  /** A tag, or `sha256:…`. */
  readonly version: string
}

export type ImageReference =
  | RegistryReference
  /** A directory in the OCI's image layout. */
  | { readonly kind: 'layout'; readonly hostPath: string; readonly tag: string | undefined }
  /** What `docker save` writes. */
  | { readonly kind: 'archive'; readonly hostPath: string; readonly name: RegistryReference | undefined }

/** In characters: a name is at most 255 and a digest 71; a path at most PATH_MAX. */
const nameCharsMax = 255
const referenceCharsMax = 512
const pathCharsMax = 4_096

/** https://github.com/distribution/reference/blob/main/regexp.go */
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?'
const hostPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[0-9a-fA-F:]{2,45}\\])(?::[0-9]{1,5})?$`)
const repositoryPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const tagPattern = /^\w[\w.-]{0,127}$/

const hub = 'docker.io'

/** @throws `INVALID_ARGUMENT` for what names no image. */
export function parseReference(text: string): ImageReference {
  if (text.length > pathCharsMax) throw notOne(text, 'it is too long')
  if (text.includes('\0')) throw notOne(text, 'it has a NUL character')
  if (text.startsWith('oci:')) return parseLayout(text, text.slice('oci:'.length))
  if (text.startsWith('docker-archive:')) return parseArchive(text, text.slice('docker-archive:'.length))
  const parsed = parseNamed(text)
  if (typeof parsed === 'string') throw notOne(text, parsed)
  return parsed
}

/** The same image, by a name that leaves nothing to defaults. */
export function formatReference(reference: ImageReference): string {
  switch (reference.kind) {
    case 'registry': {
      const { registry, repository, version } = reference
      return `${registry}/${repository}${isDigest(version) ? '@' : ':'}${version}`
    }
    case 'layout':
      return `oci:${reference.hostPath}${reference.tag === undefined ? '' : `:${reference.tag}`}`
    case 'archive':
      return `docker-archive:${reference.hostPath}${reference.name === undefined ? '' : `:${formatReference(reference.name)}`}`
  }
}

/** A host, as it may stand in a reference or in an option: `host[:port]`. */
export function isRegistryHost(text: string): boolean {
  return text.length <= nameCharsMax && hostPattern.test(text)
}

/** `a/b`, as it may stand behind a host. */
export function isRepository(text: string): boolean {
  return text.length <= nameCharsMax && repositoryPattern.test(text)
}

/** A path may hold colons: only what can be a tag is taken for one. */
function parseLayout(text: string, rest: string): ImageReference {
  const colon = rest.lastIndexOf(':')
  const tag = colon < 0 ? '' : rest.slice(colon + 1)
  const hostPath = tagPattern.test(tag) ? rest.slice(0, colon) : rest
  if (hostPath === '') throw notOne(text, 'it has no path')
  return { kind: 'layout', hostPath, tag: tagPattern.test(tag) ? tag : undefined }
}

/** The path ends at the first colon behind which a name with a tag stands. */
function parseArchive(text: string, rest: string): ImageReference {
  for (let colon = rest.indexOf(':', 1); colon >= 0; colon = rest.indexOf(':', colon + 1)) {
    const name = parseNamed(rest.slice(colon + 1), 'tagged')
    if (typeof name !== 'string') return { kind: 'archive', hostPath: rest.slice(0, colon), name }
  }
  if (rest === '') throw notOne(text, 'it has no path')
  return { kind: 'archive', hostPath: rest, name: undefined }
}

/** Docker's rules: a first part with a dot or a colon, or `localhost`, is a host; without one it is Docker Hub's. Returns why it is none. */
function parseNamed(text: string, form: 'any' | 'tagged' = 'any'): RegistryReference | string {
  if (text.length > referenceCharsMax) return 'it is too long'
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(text)) return 'it is a URL; leave out what stands before the host'
  const [beforeDigest = '', digest, ...more] = text.split('@')
  if (more.length > 0 || (digest !== undefined && !isDigest(digest))) return 'behind @ stands sha256: and 64 hex digits'
  if (digest !== undefined && form === 'tagged') return 'it has a digest'
  const colon = beforeDigest.lastIndexOf(':')
  const tagged = colon > beforeDigest.lastIndexOf('/')
  const name = tagged ? beforeDigest.slice(0, colon) : beforeDigest
  const tag = tagged ? beforeDigest.slice(colon + 1) : undefined
  if (tag !== undefined && !tagPattern.test(tag)) return 'its tag has other characters than letters, digits, _ . -'
  if (tag === undefined && form === 'tagged') return 'it has no tag'
  const { registry, path } = splitHost(name)
  const repository = registry === hub && !path.includes('/') ? `library/${path}` : path
  if (!isRegistryHost(registry)) return 'its host is none'
  if (!isRepository(path) || /^[0-9a-f]{64}$/.test(name)) return 'its name is none: names are of lower case'
  if (registry.length + 1 + repository.length > nameCharsMax) return 'its name is too long'
  return { kind: 'registry', registry, repository, version: digest ?? tag ?? 'latest' }
}

function splitHost(name: string): { registry: string; path: string } {
  const slash = name.indexOf('/')
  const registry = name.slice(0, Math.max(0, slash)).toLowerCase()
  const isHost = registry === 'localhost' || /[.:]/.test(registry)
  if (slash < 0 || !isHost) return { registry: hub, path: name }
  return { registry: registry === `index.${hub}` ? hub : registry, path: name.slice(slash + 1) }
}

function notOne(text: string, reason: string): WarmcellError {
  return new WarmcellError('INVALID_ARGUMENT', `'${foreignText(text, 120)}' names no image: ${reason}.`, {
    hint: "Write it as in 'python:3.12-slim', 'ghcr.io/owner/name@sha256:…', 'oci:DIRECTORY:TAG' or 'docker-archive:FILE:NAME:TAG'.",
  })
}
