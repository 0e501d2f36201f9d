/** Whatever a registry or the network does to a transfer: it is gone on with, or ends with an error that says why, and only what is right is kept. */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, rmSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { pruneBlobs } from '../../../src/image/oci/index.ts'
import { pullPatiently } from '../../../src/image/oci/pull.ts'
import { ForeignRegistry, type Rule } from '../../support/foreign-registry.ts'
import { type Image, makeImage } from '../../support/oci-image.ts'
import { linesOf, startProgram } from '../../support/program.ts'
import { assertWhole, cacheOf, failureOf, impatient } from '../../support/pulling.ts'
import { Scratch } from '../../support/scratch.ts'

let image: Image
let layer: { digest: string; size: number }
let registry: ForeignRegistry
let scratch: Scratch

beforeAll(async () => {
  image = await makeImage({ files: [randomBytes(400_000)] })
  layer = image.layers[0] as typeof layer
})

beforeEach(async () => {
  registry = await ForeignRegistry.start()
  registry.add(image, 'one')
  scratch = new Scratch()
})

afterEach(async () => {
  await registry[Symbol.asyncDispose]()
  scratch[Symbol.dispose]()
})

const pull = (options: { signal?: AbortSignal; policy?: 'always' } = {}, timing = impatient) =>
  pullPatiently(
    `${registry.host}/app:one`,
    {
      cacheDirectory: scratch.join('cache'),
      architecture: 'x64',
      registries: { [registry.host]: { plainHttp: true } },
      ...options,
    },
    timing,
  )

/** For requests of the layer: the first so many are answered otherwise. */
const onLayer = (times: number, rule: Rule): void => {
  let left = times
  registry.rule = (request, response, body) => request.path.endsWith(layer.digest) && left-- > 0 && rule(request, response, body)
}

const ranges = () => registry.requests.filter(({ path }) => path.endsWith(layer.digest)).map(({ headers }) => headers.range)

test('a connection that is cut is gone on with from where it was', async () => {
  onLayer(2, ({ headers }, response, body = Buffer.alloc(0)) => {
    const from = Number(/\d+/.exec(headers.range ?? '')?.[0] ?? 0)
    const status = from === 0 ? 200 : 206
    response.writeHead(status, {
      'content-length': body.length - from,
      'content-range': `bytes ${from}-${body.length - 1}/${body.length}`,
    })
    response.write(body.subarray(from, from + 100_000), () => setTimeout(() => response.destroy(), 200))
    return true
  })
  assertWhole(await pull(), image)
  const froms = ranges().map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? 'bytes=0-')?.[1]))
  expect(froms).toHaveLength(3)
  // A client may lose with the connection what it was sent last and has not read; what it has read it never asks for again.
  for (const step of froms.slice(1).map((from, at) => from - (froms[at] as number))) {
    expect(step).toBeGreaterThan(0)
    expect(step).toBeLessThanOrEqual(100_000)
  }
  expect(cacheOf(scratch).partial).toEqual([])
})

test('a server that ignores from where, or has forgotten, is read from the beginning', async () => {
  onLayer(1, (_, response, body = Buffer.alloc(0)) => {
    response.writeHead(200, { 'content-length': body.length }).write(body.subarray(0, 50_000), () => response.destroy())
    return true
  })
  const cut = registry.rule
  let isNext = false
  registry.rule = (request, response, body) => {
    if (cut(request, response, body)) return true
    if (request.headers.range === undefined) return false
    if (isNext) response.writeHead(416).end()
    else response.writeHead(200, { 'content-length': layer.size }).end(body)
    return true
  }
  assertWhole(await pull(), image)
  await pruneBlobs({ cacheDirectory: scratch.join('cache'), all: true })
  scratch.file(`cache/oci/partial/${layer.digest.slice(7)}`, randomBytes(10))
  isNext = true
  assertWhole(await pull(), image)
})

test('a server that says nothing more is left, and the next answer is waited for', async () => {
  onLayer(1, (_, response, body = Buffer.alloc(0)) => {
    response.writeHead(200, { 'content-length': body.length }).write(body.subarray(0, 50_000))
    return true
  })
  assertWhole(await pull(), image)
  expect(ranges()).toEqual([undefined, 'bytes=50000-'])
})

test('a server that is overloaded is asked again, and given up in time', async () => {
  for (const status of [429, 500, 502, 503, 504]) {
    await pruneBlobs({ cacheDirectory: scratch.join('cache'), all: true })
    onLayer(2, (_, response) => {
      response.writeHead(status, { 'retry-after': '0' }).end('busy')
      return true
    })
    assertWhole(await pull(), image)
  }
  await pruneBlobs({ cacheDirectory: scratch.join('cache'), all: true })
  onLayer(99, (_, response) => {
    response.writeHead(503).end()
    return true
  })
  registry.requests.length = 0
  const failure = await failureOf(pull())
  expect(failure).toMatchObject({ code: 'IMAGE', retryable: true })
  expect(failure.message).toContain('503')
  expect(ranges().length).toBe(impatient.attempts)

  onLayer(99, (_, response) => {
    response.writeHead(429, { 'retry-after': '3600' }).end()
    return true
  })
  registry.requests.length = 0
  expect(await failureOf(pull())).toMatchObject({ code: 'IMAGE', retryable: true })
  expect(ranges().length).toBe(1)
})

test('a manifest that does not come, or is another than it is called, is not waited for and not believed', async () => {
  const failing = () => failureOf(pull({ policy: 'always' }, { ...impatient, documentMs: 100, attempts: 1 }))
  registry.rule = () => true
  expect(await failing()).toMatchObject({ code: 'IMAGE', retryable: true, message: expect.stringContaining('within 100 ms') })
  registry.rule = (_, response, body) => {
    response.setHeader('docker-content-digest', layer.digest).end(body)
    return true
  }
  expect(await failing()).toMatchObject({ code: 'IMAGE', retryable: false, message: expect.stringContaining('another manifest') })
})

test('what a tag stands for is asked for without what registries count, as long as it has not changed', async () => {
  await pull()
  const asked = (): string[] => registry.requests.splice(0).map(({ method }) => method)
  asked()
  registry.rule = ({ method }, response) => {
    if (method === 'HEAD') response.setHeader('docker-content-digest', image.manifest.digest)
    return false
  }
  assertWhole(await pull({ policy: 'always' }), image)
  expect(asked()).toEqual(['HEAD'])
  registry.rule = ({ method }, response) => {
    if (method === 'HEAD') response.writeHead(405).end()
    return method === 'HEAD'
  }
  assertWhole(await pull({ policy: 'always' }), image)
  expect(asked()).toEqual(['HEAD', 'GET'])
})

test('other bytes than the digest says are never kept', async () => {
  onLayer(99, (_, response, body = Buffer.alloc(0)) => {
    response.end(Buffer.concat([body.subarray(0, -1), Buffer.from([0x55])]))
    return true
  })
  const failure = await failureOf(pull())
  expect(failure).toMatchObject({ code: 'IMAGE', retryable: false })
  expect(failure.message).toContain('something else')
  expect(cacheOf(scratch).blobs).not.toContain(layer.digest.slice(7))
  expect(cacheOf(scratch).partial).toEqual([])
  registry.rule = () => false
  assertWhole(await pull(), image)
})

test('more bytes than there should be are not read', async () => {
  let sentBytes = 0
  onLayer(99, (_, response) => {
    const more = (): void => {
      sentBytes += 65_536
      if (!response.destroyed) response.write(randomBytes(65_536), () => setImmediate(more))
    }
    more()
    return true
  })
  const failure = await failureOf(pull())
  expect(failure).toMatchObject({ code: 'IMAGE', retryable: false })
  expect(failure.message).toContain(`more than the ${layer.size} bytes`)
  expect(sentBytes).toBeLessThan(64 * 1024 * 1024)
  expect(cacheOf(scratch).partial).toEqual([])

  onLayer(99, (_, response) => {
    response.writeHead(200, { 'content-length': 2 ** 50 }).flushHeaders()
    return true
  })
  expect((await failureOf(pull())).message).toContain('another size')

  registry.rule = ({ path }, response) => {
    if (!path.includes('/manifests/')) return false
    response.write(Buffer.alloc(8 * 1024 * 1024, ' '))
    return true
  }
  await pruneBlobs({ cacheDirectory: scratch.join('cache'), all: true })
  expect((await failureOf(pull())).message).toContain('for a document')
})

test('given up in the middle, nothing is left but what the next one goes on with', async () => {
  onLayer(1, (_, response, body = Buffer.alloc(0)) => {
    response.writeHead(200, { 'content-length': body.length }).write(body.subarray(0, 150_000))
    return true
  })
  const abort = new AbortController()
  const reason = new Error('enough')
  const pulling = pull({ signal: abort.signal })
  const hostPath = scratch.join(`cache/oci/partial/${layer.digest.slice(7)}`)
  while ((statSync(hostPath, { throwIfNoEntry: false })?.size ?? 0) < 150_000) await delay(5)
  // What is under way is not for pruning.
  await pruneBlobs({ cacheDirectory: scratch.join('cache'), all: true })
  expect(statSync(hostPath).size).toBe(150_000)
  abort.abort(reason)
  await expect(pulling).rejects.toBe(reason)
  expect(cacheOf(scratch).partial).toEqual([layer.digest.slice(7)])
  assertWhole(await pull(), image)
  expect(ranges()).toEqual([undefined, 'bytes=150000-'])
})

test('what a killed process has brought is taken over; what it has damaged is noticed', async () => {
  const hostPath = scratch.join(`cache/oci/partial/${layer.digest.slice(7)}`)
  for (const isDamaged of [false, true]) {
    onLayer(1, (_, response, body = Buffer.alloc(0)) => {
      response.writeHead(200, { 'content-length': body.length }).write(body.subarray(0, 150_000))
      return true
    })
    registry.requests.length = 0
    const killed = startProgram('pull-image.ts', scratch.join('cache'), registry.host, `${registry.host}/app:one`)
    const closed = once(killed, 'close')
    while ((statSync(hostPath, { throwIfNoEntry: false })?.size ?? 0) < 150_000) await delay(5)
    killed.kill('SIGKILL')
    await closed
    if (isDamaged) scratch.file(`cache/oci/partial/${layer.digest.slice(7)}`, Buffer.alloc(150_000))
    assertWhole(await pull(), image)
    expect(ranges()).toEqual([undefined, 'bytes=150000-', ...(isDamaged ? [undefined] : [])])
    await pruneBlobs({ cacheDirectory: scratch.join('cache'), all: true })
  }
})

test('several processes, and several pulls of one, bring each blob once', async () => {
  registry.rule = async () => {
    await delay(20)
    return false
  }
  const others = [0, 1].map(() => startProgram('pull-image.ts', scratch.join('cache'), registry.host, `${registry.host}/app:one`))
  const ends = others.map((other) => once(other, 'close'))
  const digests = others.map(async (other) => {
    const lines = linesOf(other)
    for (let line = await lines.next(); !line.done; line = await lines.next())
      if (line.value.startsWith('sha256:')) return line.value
    return undefined
  })
  for (const pulled of await Promise.all([pull(), pull()])) assertWhole(pulled, image)
  expect(await Promise.all(digests)).toEqual([image.manifest.digest, image.manifest.digest])
  await Promise.all(ends)
  expect([registry.count(layer.digest), registry.count(image.config.digest)]).toEqual([1, 1])
  expect(cacheOf(scratch).partial).toEqual([])
})

test('a cached document that was damaged is brought anew, and so is a layer of another size', async () => {
  await pull()
  for (const digest of [image.manifest.digest, image.config.digest, layer.digest]) {
    const hostPath = scratch.join(`cache/oci/blobs/sha256/${digest.slice(7)}`)
    const before = readFileSync(hostPath)
    rmSync(hostPath)
    scratch.file(`cache/oci/blobs/sha256/${digest.slice(7)}`, before.subarray(1))
    assertWhole(await pull(), image)
  }
})
