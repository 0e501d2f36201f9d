/** Credentials and tokens go to whom they are for, once, and are found in no message. */

import { inspect } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Registries } from '../../../src/image/oci/index.ts'
import { pullPatiently } from '../../../src/image/oci/pull.ts'
import { ForeignRegistry } from '../../support/foreign-registry.ts'
import { type Image, makeImage, writeLayout } from '../../support/oci-image.ts'
import { assertWhole, failureOf, impatient } from '../../support/pulling.ts'
import { login, Registry } from '../../support/registry.ts'
import { Scratch } from '../../support/scratch.ts'
import { identityToken, TokenServer } from '../../support/token-server.ts'

let scratch: Scratch
let image: Image
let one: ForeignRegistry
let other: ForeignRegistry
const environment = { ...process.env }

beforeEach(async () => {
  scratch = new Scratch()
  // Nothing of whoever runs the tests.
  process.env.DOCKER_CONFIG = scratch.hostPath
  process.env.XDG_RUNTIME_DIR = scratch.hostPath
  image = await makeImage()
  one = await ForeignRegistry.start()
  other = await ForeignRegistry.start()
  one.add(image, 'one')
  other.add(image, 'one')
})

afterEach(async () => {
  await one[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
  scratch[Symbol.dispose]()
  process.env = { ...environment }
})

const pull = (reference: string, registries: Registries, cache = 'cache') =>
  pullPatiently(reference, { cacheDirectory: scratch.join(cache), architecture: 'x64', registries }, impatient)

test('a token is had from the server that a real registry names, once for all of an image', async () => {
  await using tokens = await TokenServer.start(scratch)
  await using registry = await Registry.start({ auth: tokens.auth })
  const layout = writeLayout(scratch, 'layout', { one: image })
  await registry.push(`oci:${layout}:one`, 'team/app:1', `--dest-creds=${login.username}:${login.password}`)
  tokens.asked.length = 0
  const reference = `${registry.host}/team/app:1`
  assertWhole(await pull(reference, { [registry.host]: { plainHttp: true, auth: login } }), image)
  expect(tokens.asked).toEqual([{ method: 'GET', scope: 'repository:team/app:pull', service: 'test' }])

  const refused = await failureOf(
    pull(reference, { [registry.host]: { plainHttp: true, auth: { ...login, password: 'looking-glass' } } }, 'b'),
  )
  expect(refused).toMatchObject({ code: 'IMAGE', retryable: false })
  expect(inspect(refused, { depth: 9 })).not.toContain('looking-glass')
  expect((await failureOf(pull(reference, { [registry.host]: { plainHttp: true } }, 'b'))).message).toContain('docker login')

  scratch.file('config.json', JSON.stringify({ auths: { [registry.host]: { identitytoken: identityToken } } }))
  assertWhole(await pull(reference, { [registry.host]: { plainHttp: true } }, 'c'), image)
  expect(tokens.asked.at(-1)).toEqual({ method: 'POST', scope: 'repository:team/app:pull', service: 'test' })

  scratch.script('bin/docker-credential-test', `echo '{"Username":"<token>","Secret":"${identityToken}"}'`)
  process.env.PATH = `${scratch.join('bin')}:${process.env.PATH}`
  scratch.file('config.json', JSON.stringify({ credsStore: 'test' }))
  assertWhole(await pull(reference, { [registry.host]: { plainHttp: true } }, 'd'), image)
  expect(tokens.asked.at(-1)?.method).toBe('POST')
})

test('a token that is no longer taken is renewed once, however many requests it fails', async () => {
  let given = 0
  one.rule = ({ path, headers }, response) => {
    if (path === '/token') {
      given++
      response.end(JSON.stringify({ access_token: `t${given}`, expires_in: 3_600 }))
      return true
    }
    const isManifest = path.includes('/manifests/')
    if (headers.authorization === (isManifest ? 'Bearer t1' : 'Bearer t2')) return false
    const challenge = `Basic realm="x, Bearer y", Bearer realm="http://${one.host}/token",service="a \\"b\\"",scope=repository:app:pull`
    response.writeHead(401, { 'www-authenticate': challenge }).end()
    return true
  }
  assertWhole(await pull(`${one.host}/app:one`, { [one.host]: { plainHttp: true } }), image)
  expect(given).toBe(2)
  expect(one.requests.find(({ path }) => path === '/token')?.url.searchParams.get('service')).toBe('a "b"')
})

test('a registry that is never content is not asked for ever', async () => {
  one.rule = ({ path }, response) => {
    if (path === '/token') response.end('{"token":"t"}')
    else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${one.host}/token"` }).end()
    return true
  }
  expect(await failureOf(pull(`${one.host}/app:one`, { [one.host]: { plainHttp: true, auth: login } }))).toMatchObject({
    code: 'IMAGE',
  })
  expect(one.requests.length).toBe(3)

  for (const challenge of [
    'Negotiate',
    'Bearer',
    'Bearer realm="file:///etc/passwd"',
    'Bearer realm="http://a:b@c/"',
    '"'.repeat(9_000),
    ',=,"',
  ]) {
    one.rule = (_, response) => {
      response.writeHead(401, { 'www-authenticate': challenge }).end()
      return true
    }
    const failure = await failureOf(pull(`${one.host}/app:one`, { [one.host]: { plainHttp: true, auth: login } }))
    expect(failure).toMatchObject({ code: 'IMAGE', retryable: false })
  }
  for (const token of ['{}', 'no JSON', '{"token":"a\\r\\nb"}', '{"token":1}']) {
    one.rule = ({ path }, response) => {
      if (path === '/token') response.end(token)
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${one.host}/token"` }).end()
      return true
    }
    expect((await failureOf(pull(`${one.host}/app:one`, { [one.host]: { plainHttp: true } }))).message).toContain('no token')
  }
})

test('who we are is for the registry, and not for the storage it redirects to', async () => {
  one.rule = ({ path, headers, method }, response) => {
    if (headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="a"' }).end()
    else if (path.includes('/blobs/')) response.writeHead(307, { location: `http://${other.host}${path}?signature=s3cret` }).end()
    else return false
    return method !== ''
  }
  const registries = { [one.host]: { plainHttp: true, auth: login }, [other.host]: { plainHttp: true } }
  assertWhole(await pull(`${one.host}/app:one`, registries), image)
  expect(other.requests.length).toBe(3)
  expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined, undefined])

  // And back again: once it was elsewhere, it is not sent any more.
  other.rule = ({ path }, response) => {
    response.writeHead(307, { location: `http://${one.host}/back${path}` }).end()
    return true
  }
  one.requests.length = 0
  await failureOf(pull(`${one.host}/app:one`, registries, 'b'))
  const back = one.requests.filter(({ path }) => path.startsWith('/back'))
  expect(back.length).toBeGreaterThan(0)
  for (const { headers } of back) expect(headers.authorization).toBeUndefined()
})

test('a redirect leads nowhere that was not allowed, and what it led to is in no message', async () => {
  const registries = { [one.host]: { plainHttp: true, auth: login } }
  let location = ''
  one.rule = (_, response) => {
    response.writeHead(302, location === '' ? {} : { location }).end()
    return true
  }
  for (location of [
    '',
    'http://%',
    'file:///etc/passwd',
    `http://${other.host}/?signature=s3cret`,
    `http://user:s3cret@${one.host}/`,
    '/again?s3cret',
  ]) {
    const failure = await failureOf(pull(`${one.host}/app:one`, registries))
    expect(failure).toMatchObject({ code: 'IMAGE', retryable: false })
    expect(inspect(failure, { depth: 9 })).not.toContain('s3cret')
  }
  expect(other.requests).toEqual([])
  // A signed URL whose time is over is refused by the storage: the registry is asked for another.
  one.rule = ({ path }, response) => {
    if (!path.includes('/blobs/')) return false
    response.writeHead(307, { location: `http://${other.host}${path}?signature=s3cret` }).end()
    return true
  }
  other.rule = (_, response) => {
    if (other.requests.length > 1) return false
    response.writeHead(403).end('<Error>s3cret</Error>')
    return true
  }
  assertWhole(await pull(`${one.host}/app:one`, { ...registries, [other.host]: { plainHttp: true } }), image)
})

test('mirrors are asked first, with what is said of them, and the registry for what they lack or spoil', async () => {
  const [layer] = image.layers
  const registries = {
    [one.host]: { plainHttp: true, mirrors: [`${other.host}/cache`, '127.0.0.1:1'], auth: login },
    [other.host]: { plainHttp: true, auth: { token: 'for-the-mirror' } },
  }
  assertWhole(await pull(`${one.host}/app:one`, registries), image)
  expect(one.requests).toEqual([])
  expect(new Set(other.requests.map(({ headers }) => headers.authorization))).toEqual(new Set(['Bearer for-the-mirror']))
  expect(other.requests[0]?.path).toBe('/v2/cache/app/manifests/one')

  for (const [cache, spoil] of [
    ['missing', () => undefined],
    ['wrong', (body: Buffer) => Buffer.from(body).fill(0)],
    ['long', (body: Buffer) => Buffer.concat([body, body])],
    ['short', (body: Buffer) => body.subarray(1)],
  ] as const) {
    one.requests.length = 0
    other.rule = ({ path }, response, body = Buffer.alloc(0)) => {
      if (!path.endsWith(layer?.digest ?? '')) return false
      const spoilt = spoil(body)
      if (spoilt === undefined) response.writeHead(404)
      response.write(spoilt ?? '', () => response.end())
      return true
    }
    assertWhole(await pull(`${one.host}/app:one`, registries, cache), image)
    // What was added to the mirror's part did not go with it.
    expect(one.count(layer?.digest ?? '')).toBe(cache === 'short' ? 2 : 1)
  }
  await other[Symbol.asyncDispose]()
  assertWhole(await pull(`${one.host}/app:one`, registries, 'gone'), image)
  other = await ForeignRegistry.start()
})
