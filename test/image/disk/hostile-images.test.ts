import { createHash } from 'node:crypto'
import { createWriteStream, readdirSync, readFileSync, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defaultLayerLimits, type LayerLimits } from '../../../src/image/layers/index.ts'
import type { PulledImage } from '../../../src/image/oci/contract.ts'
import { digestOf, diskOf, type MadeLayer, pulledImage } from '../../support/made-image.ts'
import { program } from '../../support/run.ts'
import { Scratch } from '../../support/scratch.ts'
import { directory, file, link, symlink, tarOf, tarPart } from '../../support/tar.ts'

let scratch: Scratch
beforeEach(() => {
  scratch = new Scratch()
})
afterEach(() => scratch[Symbol.dispose]())

/** Refused in words that name the layer, with nothing left of it. */
async function refused(image: PulledImage, rule: RegExp, limits: Partial<LayerLimits> = {}): Promise<void> {
  const digest = image.layers.at(-1)?.digest ?? ''
  const made = diskOf(image, scratch.join('disk'), { limits })
  await expect(made).rejects.toMatchObject({ code: 'IMAGE', retryable: false, message: expect.stringMatching(rule) })
  await expect(made).rejects.toMatchObject({ message: expect.stringContaining(digest) })
  expect(readdirSync(scratch.hostPath)).toEqual(['blobs'])
}

const plain = tarOf(file('a', 'one'))
const zeros = Buffer.alloc(80 << 20)

const layers: Record<string, [Buffer | MadeLayer, RegExp, Partial<LayerLimits>?]> = {
  'another tar file than its digest says': [
    { tar: plain, diffId: digestOf(zeros) },
    /unpacks to sha256:\w{64}, and the image says sha256:/,
  ],
  'a gzip file cut off': [{ tar: plain, compression: 'gzip', blob: gzipSync(plain).subarray(0, -12) }, /damaged, or no gzip/],
  'a gzip file with other bytes in it': [
    { tar: plain, compression: 'gzip', blob: gzipSync(plain).fill(0x55, 20, 40) },
    /damaged, or no gzip/,
  ],
  'a gzip file that is none': [{ tar: plain, compression: 'gzip', blob: plain }, /damaged, or no gzip/],
  'a zstd file that is none': [{ tar: plain, compression: 'zstd', blob: plain }, /damaged, or no zstd/],
  'a zstd file cut off': [
    { tar: plain, compression: 'zstd', blob: program('zstd', ['-qc'], plain).subarray(0, -9) },
    /damaged, or no zstd/,
  ],
  'an empty gzip blob': [{ tar: plain, compression: 'gzip', blob: Buffer.alloc(0) }, /damaged, or no gzip/],
  garbage: [Buffer.alloc(100_000, 'garbage'), /checksum/],
  'a tar file cut off': [tarPart(file('a', 'x'.repeat(9_000))).subarray(0, 4_000), /its entry 'a' ends before it is whole/],
  'a bomb of zeros': [{ tar: zeros, compression: 'gzip' }, /unpacks to more than 250 times its \d+ bytes/],
  'a bomb of zeros in zstd': [{ tar: zeros, compression: 'zstd' }, /unpacks to more than 250 times its \d+ bytes/],
  'a layer that is too large': [plain, /more than 1024 bytes/, { layerBytesMax: 1_024 }],
  traversal: [tarOf(file('../../tmp/out')), /'\.\.\/\.\.\/tmp\/out' has '\.\.' in its name/],
  'a link out': [tarOf(link('a', '/../../etc/passwd')), /'a' has '\.\.' in its target/],
  'a file twice': [tarOf(file('a'), file('./a')), /'\.\/a' is twice/],
  'a name that plays with the terminal': [tarOf(file('\u001b[31m\u202e/../a\n')), /its entry '\[31m \/\.\.\/a' has/],
  'a circle of symbolic links': [tarOf(symlink('a', 'b'), symlink('b', 'a'), file('a/c')), /40 symbolic links/],
  'a path of 100 kB': [tarOf(file('', '', { pax: { path: 'x/'.repeat(50_000) } })), /path of 100000 bytes/],
  'a pax header of 1 GiB': [tarPart({ name: 'x', type: 'x', size: 2 ** 30 }), /extended header of 1073741824 bytes/],
}

describe('a hostile image', () => {
  for (const [what, [layer, rule, limits]] of Object.entries(layers)) {
    it(`is refused for ${what}`, () => refused(pulledImage(scratch, plain, layer), rule, limits))
  }

  it('is refused for its blobs that are not there', async () => {
    const image = pulledImage(scratch, plain)
    const layers = image.layers.map((layer) => ({ ...layer, hostPath: scratch.join('nowhere') }))
    await refused({ ...image, layers }, /cannot be read: ENOENT/)
  })

  it('is refused for all layers together', async () => {
    const other = tarOf(file('b'))
    await refused(pulledImage(scratch, plain, other), /and the layers below it unpack to more than/, {
      imageBytesMax: plain.length,
    })
    const image = pulledImage(scratch, ...Array<Buffer>(defaultLayerLimits.layersMax + 1).fill(plain))
    await expect(diskOf(image, scratch.join('disk'))).rejects.toMatchObject({
      code: 'IMAGE',
      message: expect.stringContaining('257 layers'),
    })
  })

  it('is refused for directories that the tool would search for long', async () => {
    const image = pulledImage(scratch, tarOf(directory('d'), ...Array.from({ length: 200 }, (_, index) => file(`d/${index}`))))
    const made = diskOf(image, scratch.join('disk'), { limits: { comparisonsMax: 19_000 } })
    await expect(made).rejects.toMatchObject({
      code: 'IMAGE',
      message: expect.stringMatching(/the 200 names of its directory 'd' it has too many/),
    })
    expect(readdirSync(scratch.hostPath)).toEqual(['blobs'])
  })

  it('may be a layer of nothing but an empty file', async () => {
    const image = pulledImage(scratch, {
      tar: tarOf(file('zeros', zeros.subarray(0, 50 << 20).toString('latin1'))),
      compression: 'gzip',
    })
    expect(await diskOf(image, scratch.join('disk'))).toMatchObject({ entries: 4 })
    expect(statSync(scratch.join('disk')).size).toBeLessThan(100_000)
  })

  it('with one entry more than there may be costs bounded memory', async () => {
    const hostPath = scratch.join('many')
    const digest = createHash('sha256')
    const count = defaultLayerLimits.entriesMax + 1
    await pipeline(
      Readable.from(
        (function* () {
          for (let at = 0; at < count; at += 1_000) {
            const parts = Array.from({ length: Math.min(1_000, count - at) }, (_, index) => tarPart(file(`d/${at}/${index}`)))
            const bytes = Buffer.concat(parts)
            digest.update(bytes)
            yield bytes
          }
        })(),
      ),
      createGzip({ level: 1 }),
      createWriteStream(hostPath),
    )
    const layer = {
      digest: digestOf(readFileSync(hostPath)),
      diffId: `sha256:${digest.digest('hex')}`,
      compression: 'gzip' as const,
      sizeBytes: statSync(hostPath).size,
      hostPath,
    }
    const before = process.memoryUsage().rss
    const made = diskOf({ ...pulledImage(scratch), layers: [layer] }, scratch.join('disk'))
    await expect(made).rejects.toMatchObject({
      code: 'IMAGE',
      message: expect.stringMatching(/is one too many: an image may have 500000/),
    })
    expect(process.memoryUsage().rss - before).toBeLessThan(400 << 20)
  }, 120_000)
})
