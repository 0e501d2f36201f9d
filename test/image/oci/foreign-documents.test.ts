/** What manifests and configurations may say, and what of it is believed. */

import { randomBytes } from 'node:crypto'
import { chmodSync } from 'node:fs'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseConfiguration } from '../../../src/image/oci/config.ts'
import { PullFailure } from '../../../src/image/oci/failure.ts'
import { pullImage } from '../../../src/image/oci/index.ts'
import { parseManifest } from '../../../src/image/oci/manifest.ts'
import { chooseEntry } from '../../../src/image/oci/platform.ts'
import { pullPatiently } from '../../../src/image/oci/pull.ts'
import { chooseChallenge } from '../../../src/image/oci/registry/challenge.ts'
import { nextHop } from '../../../src/image/oci/registry/hop.ts'
import { defaultTiming, delayBeforeRetry, parseRetryAfter } from '../../../src/image/oci/timing.ts'
import { type ImageOptions, json, makeImage, sha256, types, writeLayout } from '../../support/oci-image.ts'
import { cacheOf, failureOf, impatient } from '../../support/pulling.ts'
import { Scratch } from '../../support/scratch.ts'

let scratch: Scratch

beforeEach(() => {
  scratch = new Scratch()
})

afterEach(() => scratch[Symbol.dispose]())

const good = { mediaType: types.gzip, digest: sha256(Buffer.from('')), size: 1 }
const rootfs = { type: 'layers', diff_ids: [good.digest, good.digest] }
const right = { os: 'linux', architecture: 'amd64', rootfs }

const manifests: [string, ImageOptions['change'], string][] = [
  ['of schema 1', () => ({ schemaVersion: 1, fsLayers: [], name: 'a' }), 'schema 1'],
  ['that is two things', (manifest) => ({ ...manifest, manifests: [] }), 'at once'],
  ['that calls itself something else', (manifest) => ({ ...manifest, mediaType: types.index }), 'calls itself'],
  ['that is no object', () => [1], 'not valid'],
  ['of another digest', (manifest) => ({ ...manifest, config: { ...good, digest: 'sha512:00' } }), 'other than sha256'],
  [
    'with a digest that is a path',
    (manifest) => ({ ...manifest, config: { ...good, digest: 'sha256:../../../etc/passwd' } }),
    'sha256',
  ],
  ['with 128 layers', (manifest) => ({ ...manifest, layers: Array(128).fill(good) }), '127'],
  ['with a layer that is too large', (manifest) => ({ ...manifest, layers: [{ ...good, size: 2 ** 40 }] }), 'bytes'],
  [
    'with layers that are too large together',
    (manifest) => ({ ...manifest, layers: Array(9).fill({ ...good, size: 2 ** 33 }) }),
    'layers have',
  ],
  ['with a negative size', (manifest) => ({ ...manifest, layers: [{ ...good, size: -1 }] }), 'not valid'],
  [
    'with encrypted layers',
    (manifest) => ({ ...manifest, layers: [{ ...good, mediaType: `${types.gzip}+encrypted` }] }),
    'encrypted',
  ],
  [
    'of an artifact',
    (manifest) => ({ ...manifest, layers: [{ ...good, mediaType: 'application/vnd.wasm.content.layer.v1+wasm' }] }),
    'artifact',
  ],
  ['whose configuration is too large', (manifest) => ({ ...manifest, config: { ...good, size: 2 ** 30 } }), 'bytes'],
  ['with fewer layers than its configuration', (manifest) => ({ ...manifest, layers: [] }), 'speaks of 2 layers'],
  ['that says two sizes of one layer', (manifest) => ({ ...manifest, layers: [good, { ...good, size: 2 }] }), 'two sizes'],
]

test.each(manifests)('a manifest %s is refused', async (_, change, reason) => {
  const layout = writeLayout(scratch, 'layout', { one: await makeImage({ ...(change && { change }) }) })
  const failure = await failureOf(pullImage(`oci:${layout}:one`, { cacheDirectory: scratch.join('cache'), architecture: 'x64' }))
  expect(failure).toMatchObject({ code: 'IMAGE', retryable: false })
  expect(failure.message).toContain(reason)
  expect(cacheOf(scratch).partial).toEqual([])
})

test.each([
  ['of another machine', { ...right, architecture: 's390x' }, 'linux/s390x'],
  ['of another system', { ...right, os: 'windows' }, 'windows/amd64'],
  ['with an environment that is none', { ...right, config: { Env: ['=x'] } }, 'NAME=value'],
  ['with a text that ends early', { ...right, config: { User: 'root\0x' } }, 'NUL'],
  ['with a command that is a text', { ...right, config: { Cmd: 'sh' } }, 'config.Cmd'],
  ['with too many variables', { ...right, config: { Env: Array(5_000).fill('a=b') } }, 'too many'],
  ['that has no layers', { ...right, rootfs: {} }, 'diff_ids'],
  ['that is a text', 'config', 'not valid'],
])('a configuration %s is refused', async (_, config, reason) => {
  const layout = writeLayout(scratch, 'layout', { one: await makeImage({ config }) })
  const failure = await failureOf(pullImage(`oci:${layout}:one`, { cacheDirectory: scratch.join('cache'), architecture: 'x64' }))
  expect(failure).toMatchObject({ code: 'IMAGE', retryable: false })
  expect(failure.message).toContain(reason)
})

test('an image that says something else of what is here takes it from nobody', async () => {
  const options = { cacheDirectory: scratch.join('cache'), architecture: 'x64' }
  const image = await makeImage({ files: [randomBytes(5_000_000)] })
  const [layer] = image.layers
  const pull = (change?: ImageOptions['change'], name = 'one') =>
    makeImage({ files: [], ...(change && { change }) }).then((made) =>
      pullImage(`oci:${writeLayout(scratch, name, { one: made })}:one`, options),
    )
  await pullImage(`oci:${writeLayout(scratch, 'layout', { one: image })}:one`, options)
  for (const wrong of [
    (manifest: Record<string, unknown>) => ({ ...manifest, config: { ...layer, size: 7 } }),
    (manifest: Record<string, unknown>) => ({ ...manifest, config: layer }),
    () => ({ schemaVersion: 2, manifests: [{ ...layer, size: 7 }] }),
    () => ({ schemaVersion: 2, config: image.config, layers: [{ ...layer, size: 7 }] }),
  ]) {
    expect(await failureOf(pull(wrong))).toMatchObject({ code: 'IMAGE', retryable: false })
  }
  expect(cacheOf(scratch).blobs).toContain(layer?.digest.slice(7))
  // As a manifest it is too large: it is asked for, and there is nobody who has it.
  const nowhere = { ...options, registries: { '127.0.0.1:1': { plainHttp: true } } }
  const asked = pullPatiently(`127.0.0.1:1/a@${layer?.digest}`, nowhere, impatient)
  expect(await failureOf(asked)).toMatchObject({ code: 'IMAGE', retryable: true })
  expect(cacheOf(scratch).blobs).toContain(layer?.digest.slice(7))
})

test('a cache that others may write to is not used', async () => {
  scratch.file('cache/oci/blobs/x', '')
  chmodSync(scratch.join('cache/oci'), 0o777)
  const layout = writeLayout(scratch, 'layout', { one: await makeImage() })
  const failure = await failureOf(pullImage(`oci:${layout}:one`, { cacheDirectory: scratch.join('cache') }))
  expect(failure).toMatchObject({ code: 'IMAGE', retryable: false })
  expect(failure.message).toContain('others may use')
})

test('what a configuration does not say is empty, and what it says beside is left out', () => {
  const empty = { env: [], user: '', workingDirectory: '', entrypoint: [], command: [] }
  for (const config of [
    undefined,
    null,
    {},
    { Env: null, User: null, WorkingDir: null, Entrypoint: null, Cmd: null, Volumes: 1 },
  ]) {
    expect(parseConfiguration(json({ ...right, config, history: 'x' }), 2).config).toEqual(empty)
  }
  parseConfiguration(
    Buffer.from(
      `{"os":"linux","architecture":"amd64","__proto__":{"polluted":1},"config":{"__proto__":{"polluted":1}},"rootfs":{"diff_ids":[]}}`,
    ),
    0,
  )
  expect(({} as { polluted?: number }).polluted).toBeUndefined()
})

test('whatever the bytes, a document is read or refused', () => {
  const near = fc.object({
    key: fc.constantFrom(
      'schemaVersion',
      'mediaType',
      'config',
      'layers',
      'manifests',
      'digest',
      'size',
      'platform',
      '__proto__',
    ),
  })
  const bytes = fc.oneof(fc.uint8Array(), fc.json().map(Buffer.from), near.map(json))
  const check = (read: (document: Uint8Array) => unknown) => (document: Uint8Array) => {
    try {
      read(document)
    } catch (error) {
      expect(error).toBeInstanceOf(PullFailure)
    }
  }
  fc.assert(fc.property(bytes, check(parseManifest)), { numRuns: 1_000 })
  fc.assert(
    fc.property(
      bytes,
      check((document) => parseConfiguration(document, 0)),
    ),
    { numRuns: 1_000 },
  )
})

test('of several builds for one processor the most common comes, and nothing of a name that is not said', () => {
  const entry = (architecture: string, variant?: string) => ({ ...good, platform: { os: 'linux', architecture, variant } })
  const entries = [entry('arm64', 'v9'), entry('arm64'), entry('arm64', 'v8'), entry('amd64', 'v3'), entry('amd64', 'v2')]
  expect(chooseEntry(entries, 'arm64')).toBe(entries[2])
  expect(chooseEntry(entries, 'amd64')).toBe(entries[4])
  expect(chooseEntry([...entries, good], 'riscv64')).toBe(entries.length === 5 ? good : undefined)
  expect(() => chooseEntry(entries, '__proto__')).toThrow(PullFailure)
})

test('the challenge that suits is found, whatever stands around it', () => {
  expect(chooseChallenge(undefined)).toBeUndefined()
  expect(chooseChallenge('Basic realm="a, Bearer realm=b"')).toEqual({ scheme: 'basic' })
  expect(chooseChallenge(['Digest a=b', 'bearer Realm="https://x/t?a=b,c" , service=s'])).toEqual({
    scheme: 'bearer',
    realm: 'https://x/t?a=b,c',
    service: 's',
    scope: undefined,
  })
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('Bearer', 'Basic', ' ', '=', ',', '"', '\\', 'realm', 'x')),
      (parts) => void chooseChallenge(parts.join('')),
    ),
  )
})

test('a redirect never leaves HTTPS, nor leads to plain HTTP where that was not allowed', () => {
  const plain = (host: string): boolean => host === 'plain:5000'
  const secure = new URL('https://registry/v2/')
  expect(nextHop(secure, '/a', plain).href).toBe('https://registry/a')
  expect(nextHop(secure, 'https://storage/a?b', plain).href).toBe('https://storage/a?b')
  expect(() => nextHop(secure, 'http://plain:5000/a', plain)).toThrow('from HTTPS to plain HTTP')
  expect(nextHop(new URL('http://plain:5000/'), 'https://storage/a', plain).protocol).toBe('https:')
  expect(() => nextHop(new URL('http://plain:5000/'), 'http://127.0.0.1/a', plain)).toThrow('127.0.0.1')
})

test('attempts come ever later, never more often than asked, and end', () => {
  const delays = [1, 2, 3, 4, 5].map((failed) => delayBeforeRetry(failed, undefined, defaultTiming, 1))
  expect(delays).toEqual([250, 500, 1_000, 2_000, undefined])
  expect(delayBeforeRetry(1, undefined, defaultTiming, 0)).toBe(125)
  expect(delayBeforeRetry(1, 7_000, defaultTiming, 1)).toBe(7_000)
  expect(delayBeforeRetry(1, 61_000, defaultTiming, 1)).toBeUndefined()
  expect(parseRetryAfter('7', 0)).toBe(7_000)
  expect(parseRetryAfter('Thu, 01 Jan 1970 00:00:09 GMT', 2_000)).toBe(7_000)
  expect(parseRetryAfter('soon', 0)).toBeUndefined()
})

test('options that cannot be meant are refused before anything is done', async () => {
  const cacheDirectory = scratch.join('cache')
  for (const options of [
    {},
    { cacheDirectory: '' },
    { cacheDirectory, policy: 'never' },
    { cacheDirectory, architecture: 'x/y' },
    { cacheDirectory, registries: { 'https://a': {} } },
    { cacheDirectory, registries: { a: { mirrors: ['https://b'] } } },
    { cacheDirectory, registries: { a: { auth: { username: 'u' } } } },
    { cacheDirectory, registries: { a: { auth: { token: 'a\r\nb' } } } },
    { cacheDirectory, other: 1 },
  ]) {
    expect(await failureOf(pullImage('python', options as never))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  }
  expect(await failureOf(pullImage('Python', { cacheDirectory }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(pullImage('python', { cacheDirectory, signal: AbortSignal.abort('enough') })).rejects.toBe('enough')
})
