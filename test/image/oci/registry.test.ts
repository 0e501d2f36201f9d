/** Images come from a real registry as they were pushed, with what is asked for to get in, and come once. */

import { randomBytes } from 'node:crypto'
import { readdirSync, rmSync, statSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ImageEvent, pruneBlobs, pullImage } from '../../../src/image/oci/index.ts'
import { makeCertificate } from '../../support/certificate.ts'
import { type Image, makeImage, writeLayout } from '../../support/oci-image.ts'
import { printedBy, startProgram } from '../../support/program.ts'
import { assertWhole, cacheOf, failureOf } from '../../support/pulling.ts'
import { login, Registry, skopeo } from '../../support/registry.ts'
import { Scratch } from '../../support/scratch.ts'

let registry: Registry
let source: Scratch
let image: Image

beforeAll(async () => {
  registry = await Registry.start()
  source = new Scratch()
  image = await makeImage({ files: [randomBytes(300_000), randomBytes(1_000), randomBytes(2_000)] })
  await registry.push(`oci:${writeLayout(source, 'layout', { one: image })}:one`, 'team/app:1')
})

afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  source[Symbol.dispose]()
})

const registries = () => ({ [registry.host]: { plainHttp: true } })

test('an image of a registry comes whole, with its configuration, and says how far it is', async () => {
  using scratch = new Scratch()
  const events: ImageEvent[] = []
  const cacheDirectory = scratch.join('cache')
  const options = {
    cacheDirectory,
    registries: registries(),
    architecture: 'x64',
    onEvent: (event: ImageEvent) => events.push(event),
  }
  const reference = `${registry.host}/team/app:1`
  const pulled = await pullImage(reference, options)
  assertWhole(pulled, image)
  expect(pulled.reference).toBe(reference)
  expect(pulled.config).toEqual({
    env: ['PATH=/bin', 'A=b=c'],
    user: 'app:100',
    workingDirectory: '/srv',
    entrypoint: ['/bin/sh', '-c'],
    command: [],
  })
  expect(pulled.layers.map(({ compression }) => compression)).toEqual(['gzip', 'gzip', 'gzip'])
  const bytes = image.layers.reduce((sum, { size }) => sum + size, 0)
  expect(events[0]).toEqual({ type: 'pull', reference, digest: pulled.digest, layers: 3, bytes })
  expect(events.at(-1)).toEqual({ type: 'transfer', reference, doneBytes: bytes, totalBytes: bytes })
  expect(statSync(pulled.layers[0]?.hostPath ?? '').mode & 0o777).toBe(0o444)
  expect(cacheOf(scratch).partial).toEqual([])
})

test('what is here is not asked for again: by tag unless that is wanted, by digest never', async () => {
  using scratch = new Scratch()
  await using other = await Registry.start()
  const options = {
    cacheDirectory: scratch.join('cache'),
    registries: { [other.host]: { plainHttp: true } },
    architecture: 'amd64',
  }
  const layout = writeLayout(scratch, 'layout', { one: image })
  await other.push(`oci:${layout}:one`, 'app:1')
  const byTag = `${other.host}/app:1`
  const byDigest = `${other.host}/app@${image.manifest.digest}`
  await pullImage(byTag, options)
  const events: ImageEvent[] = []
  assertWhole(await pullImage(byTag, { ...options, policy: 'always', onEvent: (event) => events.push(event) }), image)
  expect(events).toMatchObject([{ type: 'pull', layers: 0, bytes: 0 }])

  const newer = await makeImage()
  await other.push(`oci:${writeLayout(scratch, 'newer', { one: newer })}:one`, 'app:1')
  expect((await pullImage(byTag, options)).digest).toBe(image.manifest.digest)
  assertWhole(await pullImage(byTag, { ...options, policy: 'always' }), newer)
  assertWhole(await pullImage(byTag, options), newer)

  await other[Symbol.asyncDispose]()
  assertWhole(await pullImage(byTag, options), newer)
  assertWhole(await pullImage(byDigest, { ...options, policy: 'always' }), image)
})

test('of several platforms the one of this machine comes, and an error names those there are', async () => {
  using scratch = new Scratch()
  const options = { cacheDirectory: scratch.join('cache'), registries: registries() }
  const layout = writeLayout(scratch, 'arm', { one: await makeImage({ architecture: 'arm64' }) })
  await registry.push(`oci:${layout}:one`, 'arm:1')
  const failure = await failureOf(pullImage(`${registry.host}/arm:1`, { ...options, architecture: 'x64' }))
  expect(failure).toMatchObject({ code: 'IMAGE', retryable: false })
  expect(failure.message).toContain('linux/arm64')
  expect((await pullImage(`${registry.host}/arm:1`, { ...options, architecture: 'arm64' })).layers.length).toBe(2)
})

test('what is not there, and a registry that is not there, are said so', async () => {
  using scratch = new Scratch()
  const options = { cacheDirectory: scratch.join('cache'), registries: registries() }
  for (const name of ['team/app:2', 'nobody/nothing', `team/app@sha256:${'0'.repeat(64)}`]) {
    const reference = `${registry.host}/${name}`
    const failure = await failureOf(pullImage(reference, options))
    expect(failure).toMatchObject({ code: 'IMAGE', retryable: false })
    expect(failure.message).toContain(`The image ${reference} cannot be pulled: ${registry.host} answers 404`)
  }
  const failure = await failureOf(pullImage(`${registry.host}/team/app:1`, { cacheDirectory: scratch.join('cache') }))
  expect(failure.message).toContain('plainHttp')
})

test('a password opens what is closed, from the options or from where docker login has put it', async () => {
  using scratch = new Scratch()
  await using closed = await Registry.start({ auth: 'basic' })
  await closed.push(`oci:${source.join('layout')}:one`, 'app:1', `--dest-creds=${login.username}:${login.password}`)
  const reference = `${closed.host}/app:1`
  const pullWith = (cache: string, auth?: { username: string; password: string }) =>
    pullImage(reference, {
      cacheDirectory: scratch.join(cache),
      architecture: 'amd64',
      registries: { [closed.host]: { plainHttp: true, ...(auth && { auth }) } },
    })
  const environment = { ...process.env }
  process.env.DOCKER_CONFIG = scratch.hostPath
  process.env.XDG_RUNTIME_DIR = scratch.join('run')
  process.env.PATH = `${scratch.join('bin')}:${process.env.PATH}`
  try {
    expect((await failureOf(pullWith('a'))).message).toContain('docker login')
    const refused = await failureOf(pullWith('a', { ...login, password: 'looking-glass' }))
    expect(refused).toMatchObject({ code: 'IMAGE', retryable: false })
    expect(refused.message).not.toContain('looking-glass')
    assertWhole(await pullWith('a', login), image)

    const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64')
    const config = (value: unknown) => scratch.file('config.json', JSON.stringify(value))
    config({ auths: { 'other.example': {}, [`http://${closed.host}/v2/`]: { auth } }, unknown: 1 })
    assertWhole(await pullWith('b'), image)

    scratch.script(
      'bin/docker-credential-test',
      `[ "$1 $(cat)" = "get ${closed.host}" ] && echo '{"Username":"alice","Secret":"wonderland"}'`,
    )
    scratch.script('bin/docker-credential-none', 'echo "credentials not found in native keychain"; exit 1')
    scratch.script('bin/docker-credential-broken', 'echo "a secret"; exit 3')
    config({ credHelpers: { [closed.host]: 'test' }, credsStore: 'broken' })
    assertWhole(await pullWith('c'), image)
    config({ credsStore: 'none', auths: { [closed.host]: { auth } } })
    assertWhole(await pullWith('d'), image)
    config({ credsStore: 'broken' })
    const broken = await failureOf(pullWith('e'))
    expect(broken.message).toContain('docker-credential-broken')
    expect(broken.message).not.toContain('a secret')
    config({ credsStore: '../../bin/sh' })
    expect((await failureOf(pullWith('e'))).message).toContain('its name is not valid')

    rmSync(scratch.join('config.json'))
    scratch.file('run/containers/auth.json', JSON.stringify({ auths: { [`${closed.host}/app`]: { auth } } }))
    assertWhole(await pullWith('f'), image)
  } finally {
    process.env = environment
  }
})

test('what skopeo makes of an image is pulled as the same image: Docker’s manifests, and zstd', async () => {
  using scratch = new Scratch()
  const options = { cacheDirectory: scratch.join('cache'), registries: registries(), architecture: 'amd64' }
  await registry.push(`oci:${source.join('layout')}:one`, 'docker:1', '--format=v2s2')
  const pulled = await pullImage(`${registry.host}/docker:1`, options)
  expect(pulled.layers.map(({ digest }) => digest)).toEqual(image.layers.map(({ digest }) => digest))
  const plain = await makeImage({ isPacked: false })
  await registry.push(`oci:${writeLayout(scratch, 'plain', { one: plain })}:one`, 'zstd:1', '--dest-compress-format=zstd')
  const packed = await pullImage(`${registry.host}/zstd:1`, options)
  expect(packed.layers.map(({ diffId }) => diffId)).toEqual(plain.layers.map(({ digest }) => digest))
  expect(new Set(packed.layers.map(({ compression }) => compression))).toEqual(new Set(['zstd']))
  expect(await skopeo('inspect', '--tls-verify=false', `docker://${registry.host}/team/app:1`)).toContain(image.manifest.digest)
})

test('a registry is spoken to over HTTPS, and only if its certificate is good', async () => {
  using scratch = new Scratch()
  const certificate = await makeCertificate(scratch)
  await using secure = await Registry.start({ certificate })
  await secure.push(`oci:${source.join('layout')}:one`, 'app:1')
  const reference = `${secure.host}/app:1`
  const failure = await failureOf(pullImage(reference, { cacheDirectory: scratch.join('a') }))
  expect(failure).toMatchObject({ code: 'IMAGE', retryable: false })
  expect(failure.message).toContain('NODE_EXTRA_CA_CERTS')
  process.env.NODE_EXTRA_CA_CERTS = certificate.certificatePath
  const puller = startProgram('pull-image.ts', scratch.join('b'), secure.host, reference, 'https')
  delete process.env.NODE_EXTRA_CA_CERTS
  expect(await printedBy(puller)).toContain(image.manifest.digest)
})

test('pruning removes what nobody used for so long, or all, and what is removed comes again', async () => {
  using scratch = new Scratch()
  const cacheDirectory = scratch.join('cache')
  const options = { cacheDirectory, registries: registries(), architecture: 'amd64' }
  const reference = `${registry.host}/team/app:1`
  expect(await pruneBlobs({ cacheDirectory, all: true })).toEqual({ blobs: [], freedBytes: 0 })
  await pullImage(reference, options)
  scratch.file(`cache/oci/partial/${'a'.repeat(64)}`, 'half')
  expect(await pruneBlobs({ cacheDirectory })).toEqual({ blobs: [], freedBytes: 4 })
  expect((await pruneBlobs({ cacheDirectory, unusedForMs: 60_000 })).blobs).toEqual([])
  expect((await pruneBlobs({ cacheDirectory, all: true })).blobs.length).toBe(5)
  expect(cacheOf(scratch)).toEqual({ blobs: [], partial: [] })
  expect(readdirSync(scratch.join('cache/oci/references'))).toEqual([])
  assertWhole(await pullImage(reference, options), image)
})
