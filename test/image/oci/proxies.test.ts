/** Where only a proxy leads out, registries are reached through it, as the environment says. */

import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { pullImage } from '../../../src/image/oci/index.ts'
import { pullPatiently } from '../../../src/image/oci/pull.ts'
import { proxiesOf } from '../../../src/image/oci/registry/proxy.ts'
import { makeCertificate, nowhereName } from '../../support/certificate.ts'
import { type Image, makeImage, writeLayout } from '../../support/oci-image.ts'
import { printedBy, startProgram } from '../../support/program.ts'
import { HttpProxy } from '../../support/proxy.ts'
import { assertWhole, failureOf, impatient } from '../../support/pulling.ts'
import { Registry } from '../../support/registry.ts'
import { Scratch } from '../../support/scratch.ts'

let scratch: Scratch
let image: Image
let registry: Registry
let layout: string
/** The registry by a name that only the proxy can reach it by. */
let host: string

beforeAll(async () => {
  scratch = new Scratch()
  image = await makeImage()
  layout = writeLayout(scratch, 'layout', { one: image })
  registry = await Registry.start()
  host = registry.host.replace('127.0.0.1', nowhereName)
  await registry.push(`oci:${layout}:one`, 'app:1')
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  scratch[Symbol.dispose]()
})

beforeEach(() => {
  for (const name of ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'])
    vi.stubEnv(name, undefined)
})
afterEach(() => void vi.unstubAllEnvs())

let caches = 0
const pull = (at = host) => {
  const options = { cacheDirectory: scratch.join(`cache-${caches++}`), registries: { [at]: { plainHttp: true } } }
  return pullPatiently(`${at}/app:1`, { ...options, architecture: 'x64' }, impatient)
}

test('one that speaks plain HTTP is asked through it without a tunnel', async () => {
  await using proxy = await HttpProxy.start()
  vi.stubEnv('HTTP_PROXY', proxy.host)
  assertWhole(await pull(), image)
  expect(proxy.asked[0]).toBe(`GET http://${host}/v2/app/manifests/1`)
})

test('one that speaks HTTPS is reached through a tunnel, in which its certificate counts', async () => {
  await using proxy = await HttpProxy.start()
  const certificate = await makeCertificate(scratch)
  await using secure = await Registry.start({ certificate })
  await secure.push(`oci:${layout}:one`, 'app:1')
  const name = secure.host.replace('127.0.0.1', nowhereName)
  vi.stubEnv('HTTPS_PROXY', `http://${proxy.host}`)
  const failure = await failureOf(pullImage(`${name}/app:1`, { cacheDirectory: scratch.join('untrusted') }))
  expect(failure.message).toContain('NODE_EXTRA_CA_CERTS')
  vi.stubEnv('NODE_EXTRA_CA_CERTS', certificate.certificatePath)
  const puller = startProgram('pull-image.ts', scratch.join('trusted'), name, `${name}/app:1`, 'https')
  expect(await printedBy(puller)).toContain(image.manifest.digest)
  expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT ${name}`]))
})

test('its password is sent to it; one that is wrong is said, and shown to nobody', async () => {
  await using proxy = await HttpProxy.start('wonder:land')
  vi.stubEnv('http_proxy', `http://alice:wonder%3Aland@${proxy.host}`)
  assertWhole(await pull(), image)
  vi.stubEnv('http_proxy', `http://alice:looking-glass@${proxy.host}`)
  const failure = await failureOf(pull())
  expect(failure).toMatchObject({ code: 'IMAGE', message: expect.stringContaining('through the proxy') })
  expect(inspect(failure, { depth: 9 })).not.toContain('looking-glass')
})

test('this host, and what NO_PROXY names, is reached without it', async () => {
  await using proxy = await HttpProxy.start()
  vi.stubEnv('HTTP_PROXY', `http://${proxy.host}`)
  assertWhole(await pull(registry.host), image)
  vi.stubEnv('NO_PROXY', `example.com, .test`)
  expect((await failureOf(pull())).message).toContain('cannot be reached')
  expect(proxy.asked).toEqual([])
})

test('what is no address of a proxy is refused without being shown', () => {
  for (const wrong of ['socks5://alice:secret@a:1', 'http://alice:secret@', 'alice:secret@a:b']) {
    expect(() => proxiesOf({ HTTPS_PROXY: wrong })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect(() => proxiesOf({ HTTPS_PROXY: wrong })).not.toThrow('secret')
  }
  expect(proxiesOf({ HTTP_PROXY: 'a:1', http_proxy: 'b:2', NO_PROXY: '*' })).toMatchObject({
    httpProxy: 'http://b:2',
    noProxy: '*',
  })
})
