/** Layouts and archives of this host, as other tools write them, are the same images; what is wrong with one is said, and nothing outside it is read. */

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, symlinkSync, truncateSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pullImage } from '../../../src/image/oci/index.ts'
import { type Image, indexOf, json, makeImage, sha256, tarWith, writeLayout } from '../../support/oci-image.ts'
import { assertWhole, cacheOf, failureOf } from '../../support/pulling.ts'
import { skopeo } from '../../support/registry.ts'
import { Scratch } from '../../support/scratch.ts'

let scratch: Scratch
let image: Image
let second: Image

beforeEach(async () => {
  scratch = new Scratch()
  image = await makeImage()
  second = await makeImage()
})

afterEach(() => scratch[Symbol.dispose]())

const pull = (reference: string, architecture = 'x64') =>
  pullImage(reference, { cacheDirectory: scratch.join('cache'), architecture })

const diffIds = async (reference: string): Promise<string[]> => (await pull(reference)).layers.map(({ diffId }) => diffId)

test('an image of a layout comes by its tag, or without one where there is only one', async () => {
  const both = writeLayout(scratch, 'a:b', { one: image, two: second })
  assertWhole(await pull(`oci:${both}:one`), image)
  assertWhole(await pull(`oci:${both}:two`), second)
  expect((await failureOf(pull(`oci:${writeLayout(scratch, 'c/d', { one: image, two: second })}`))).message).toContain('one, two')
  expect((await failureOf(pull(`oci:${both}:three`))).message).toContain('one, two')
  const single = writeLayout(scratch, 'single', { one: image })
  assertWhole(await pull(`oci:${single}`), image)
  // It is looked at each time.
  writeLayout(scratch, 'single', { one: second })
  assertWhole(await pull(`oci:${single}:one`), second)
})

test('of a tag for several platforms, and of an index in an index, the right image comes', async () => {
  const arm = await makeImage({ architecture: 'arm64' })
  const directory = writeLayout(scratch, 'layout', { one: image, two: arm })
  const entries = [
    {
      ...image.config,
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
    },
    { ...arm.manifest, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
    { ...image.config, platform: { os: 'windows', architecture: 'amd64' } },
    { ...image.config, platform: { os: 'linux', architecture: 'amd64', variant: 'v3' } },
    { ...image.manifest, platform: { os: 'linux', architecture: 'amd64' } },
  ]
  scratch.file('layout/index.json', indexOf(entries))
  assertWhole(await pull(`oci:${directory}`), image)
  assertWhole(await pull(`oci:${directory}`, 'arm64'), arm)
  const failure = await failureOf(pull(`oci:${directory}`, 'riscv64'))
  expect(failure.message).toContain('linux/arm64/v8, windows/amd64, linux/amd64/v3, linux/amd64.')
  let inner = indexOf(entries)
  for (let depth = 1; depth < 5; depth++) {
    scratch.file(`layout/blobs/sha256/${sha256(inner).slice(7)}`, inner)
    inner = indexOf([{ mediaType: 'application/vnd.oci.image.index.v1+json', digest: sha256(inner), size: inner.length }])
    scratch.file('layout/index.json', inner)
    if (depth < 4) assertWhole(await pull(`oci:${directory}`), image)
    else expect((await failureOf(pull(`oci:${directory}`))).message).toContain('indexes deep')
  }
})

test('what umoci makes is an image', async () => {
  const umoci = (...parameters: string[]): void => void execFileSync('umoci', parameters, { stdio: 'ignore' })
  const layout = scratch.join('umoci')
  const tar = await tarWith({ 'etc/hello': Buffer.from('hello') })
  umoci('init', '--layout', layout)
  umoci('new', '--image', `${layout}:one`)
  umoci('raw', 'add-layer', '--image', `${layout}:one`, scratch.file('layer.tar', tar))
  umoci('config', '--image', `${layout}:one`, '--config.user=1:2', '--config.env=A=b', '--config.cmd=sh', '--architecture=amd64')
  const { config, layers } = await pull(`oci:${layout}:one`)
  expect(layers.map(({ diffId }) => diffId)).toEqual([sha256(tar)])
  expect(config).toMatchObject({ user: '1:2', command: ['sh'], entrypoint: [] })
  expect(config.env).toContain('A=b')
})

test('what skopeo writes of an image, as an archive of Docker’s or as a layout in a tar file, is the same image', async () => {
  const layout = writeLayout(scratch, 'layout', { one: image })
  const wanted = await diffIds(`oci:${layout}`)
  await skopeo('copy', `oci:${layout}:one`, `docker-archive:${scratch.join('docker.tar')}:team/app:1`)
  await skopeo('copy', `oci:${layout}:one`, `oci-archive:${scratch.join('oci.tar')}:one`)
  for (const reference of ['docker.tar', 'docker.tar:team/app:1', 'docker.tar:docker.io/team/app:1', 'oci.tar']) {
    expect(await diffIds(`docker-archive:${scratch.join(reference)}`)).toEqual(wanted)
  }
  assertWhole(await pull(`docker-archive:${scratch.join('oci.tar')}`), image)
  // The manifest is made here, and the same each time.
  const [one, two] = [
    await pull(`docker-archive:${scratch.join('docker.tar')}`),
    await pull(`docker-archive:${scratch.join('docker.tar')}`),
  ]
  expect(one).toEqual(two)
  expect((await failureOf(pull(`docker-archive:${scratch.join('docker.tar')}:team/app:2`))).message).toContain('team/app:1')
})

test('archives of old, with links, with packed layers and with several images, are read, and those of now as layouts', async () => {
  const tars = [await tarWith({ a: randomBytes(9_000) }), await tarWith({ b: randomBytes(9_000) })] as const
  const config = json({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [tars[0], tars[1], tars[0]].map(sha256) },
  })
  const long = `${'deep/'.repeat(40)}layer.tar`
  const archive = await tarWith({
    'x/layer.tar': tars[0],
    'x/json': Buffer.from('{}'),
    [long]: gzipSync(tars[1]),
    'y/layer.tar': { linkname: '../x/layer.tar' },
    './config.json': config,
    'manifest.json': json([
      { Config: 'config.json', RepoTags: ['app:1', 'app:latest'], Layers: ['x/layer.tar', long, 'y/layer.tar'] },
      { Config: 'config.json', RepoTags: null, Layers: ['x/layer.tar', long, 'x/layer.tar'] },
    ]),
  })
  scratch.file('old.tar', archive)
  const pulled = await pull(`docker-archive:${scratch.join('old.tar')}:app:1`)
  expect(pulled.layers.map(({ diffId }) => diffId)).toEqual([tars[0], tars[1], tars[0]].map(sha256))
  expect(pulled.layers.map(({ compression }) => compression)).toEqual(['none', 'gzip', 'none'])
  expect(sha256(readFileSync(pulled.layers[2]?.hostPath ?? ''))).toBe(sha256(tars[0]))
  expect((await failureOf(pull(`docker-archive:${scratch.join('old.tar')}`))).message).toContain('several')

  const name = (text: string) => ({ 'io.containerd.image.name': text, 'org.opencontainers.image.ref.name': '1' })
  const blobs = Object.fromEntries(
    [...image.blobs, ...second.blobs].map(([digest, bytes]) => [`blobs/sha256/${digest.slice(7)}`, bytes]),
  )
  const entries = [
    { ...image.manifest, annotations: name('docker.io/library/app:1') },
    { ...second.manifest, annotations: name('docker.io/team/app:1') },
  ]
  scratch.file(
    'new.tar',
    await tarWith({ ...blobs, 'index.json': indexOf(entries), 'manifest.json': json([]), 'oci-layout': json({}) }),
  )
  assertWhole(await pull(`docker-archive:${scratch.join('new.tar')}:team/app:1`), second)
  assertWhole(await pull(`docker-archive:${scratch.join('new.tar')}:app:1`), image)
})

test('what is no image, or less than one, ends with an error that names it', async () => {
  const directory = writeLayout(scratch, 'layout', { one: image })
  scratch.file('empty', '')
  scratch.file('text', 'x'.repeat(10_000))
  scratch.file('zeros', Buffer.alloc(3_000_000))
  execFileSync('mkfifo', [scratch.join('fifo')])
  scratch.file('no-image.tar', await tarWith({ a: Buffer.from('a') }))
  scratch.file(
    'lacking.tar',
    await tarWith({ 'manifest.json': json([{ Config: '../../../etc/passwd', Layers: ['/etc/passwd'] }]) }),
  )
  scratch.file('looping.tar', await tarWith({ 'manifest.json': { linkname: './a' }, a: { linkname: './manifest.json' } }))
  scratch.file('cut.tar', (await tarWith({ 'manifest.json': json([]), a: randomBytes(50_000) })).subarray(0, 30_000))
  scratch.file('none/oci-layout', '{}')
  for (const name of [
    'nowhere',
    'empty',
    'text',
    'zeros',
    'fifo',
    'no-image.tar',
    'lacking.tar',
    'looping.tar',
    'cut.tar',
    '.',
  ]) {
    const reference = `docker-archive:${scratch.join(name)}`
    const failure = await failureOf(pull(reference))
    expect(failure).toMatchObject({ code: 'IMAGE', retryable: false })
    expect(failure.message).toContain(`The image ${reference} cannot be pulled: `)
  }
  for (const name of ['nowhere', 'text', 'none', '.'])
    expect(await failureOf(pull(`oci:${scratch.join(name)}`))).toMatchObject({ code: 'IMAGE' })

  // A blob that is a link to something else, cut short, and not there.
  const [layer] = image.layers
  const hostPath = `${directory}/blobs/sha256/${layer?.digest.slice(7)}`
  truncateSync(hostPath, 10)
  expect((await failureOf(pull(`oci:${directory}:one`))).message).toContain('has 10 bytes there')
  execFileSync('rm', [hostPath])
  expect((await failureOf(pull(`oci:${directory}:one`))).message).toContain('ENOENT')
  symlinkSync('/etc/passwd', hostPath)
  expect(await failureOf(pull(`oci:${directory}:one`))).toMatchObject({ code: 'IMAGE' })
  expect(readdirSync(scratch.join('cache/oci/blobs/sha256'))).not.toContain(layer?.digest.slice(7))
})

test('damaged archives end with an error or as an image, and leave nothing half-made', async () => {
  const layout = writeLayout(scratch, 'layout', { one: image })
  await skopeo('copy', `oci:${layout}:one`, `docker-archive:${scratch.join('docker.tar')}:team/app:1`)
  const whole = readFileSync(scratch.join('docker.tar'))
  const change = fc.record({
    at: fc.nat(whole.length - 1),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
    cut: fc.boolean(),
  })
  const check = async (changes: readonly { at: number; bytes: Uint8Array; cut: boolean }[]): Promise<void> => {
    const damaged = Buffer.from(whole)
    for (const { at, bytes } of changes) damaged.set(bytes.subarray(0, damaged.length - at), at)
    const [first] = changes
    scratch.file('damaged.tar', first?.cut ? damaged.subarray(0, first.at) : damaged)
    const failure = await pull(`docker-archive:${scratch.join('damaged.tar')}`).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (failure !== undefined) expect(failure).toMatchObject({ code: 'IMAGE' })
    for (const hex of cacheOf(scratch).blobs)
      expect(sha256(readFileSync(scratch.join(`cache/oci/blobs/sha256/${hex}`)))).toBe(`sha256:${hex}`)
  }
  await fc.assert(fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), check), { numRuns: 60 })
})
