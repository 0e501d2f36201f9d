// Makes an OCI image layout with one image of one layer, whose tar file is read from stdin: node oci-layout.mjs DIRECTORY, facts in the
// environment of `debian-image`.
// The same tar file and the same facts give the same bytes; https://github.com/opencontainers/image-spec says what they mean.
import { createHash } from 'node:crypto'
import { createWriteStream, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

const directory = process.argv[2]
const { tag, arch, description, SOURCE_DATE_EPOCH } = process.env
const created = new Date(Number(SOURCE_DATE_EPOCH) * 1_000).toISOString().replace('.000', '')
const blobs = join(directory, 'blobs/sha256')

/** Passes bytes on, and knows their digest and number afterwards. */
class Counted extends Transform {
  #hash = createHash('sha256')
  size = 0

  _transform(chunk, _encoding, done) {
    this.#hash.update(chunk)
    this.size += chunk.length
    done(null, chunk)
  }

  _flush(done) {
    this.hex = this.#hash.digest('hex')
    done()
  }
}

/** The layer as a blob. Its header has neither time nor name: what Node's gzip writes depends on nothing else. */
async function addLayer() {
  const [unpacked, packed] = [new Counted(), new Counted()]
  const unnamed = join(blobs, 'layer')
  await pipeline(process.stdin, unpacked, createGzip({ level: 6 }), packed, createWriteStream(unnamed))
  renameSync(unnamed, join(blobs, packed.hex))
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip'
  return { diffId: `sha256:${unpacked.hex}`, descriptor: { mediaType, digest: `sha256:${packed.hex}`, size: packed.size } }
}

function addJson(mediaType, value) {
  const bytes = Buffer.from(JSON.stringify(value))
  const hex = createHash('sha256').update(bytes).digest('hex')
  writeFileSync(join(blobs, hex), bytes)
  return { mediaType, digest: `sha256:${hex}`, size: bytes.length }
}

mkdirSync(blobs, { recursive: true })
const layer = await addLayer()
const config = addJson('application/vnd.oci.image.config.v1+json', {
  created,
  architecture: arch,
  os: 'linux',
  config: {
    User: 'user',
    Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C.UTF-8'],
    WorkingDir: '/home/user',
  },
  rootfs: { type: 'layers', diff_ids: [layer.diffId] },
  history: [{ created, created_by: 'warmcell scripts/debian-image', comment: description }],
})
const mediaType = 'application/vnd.oci.image.manifest.v1+json'
const manifest = addJson(mediaType, { schemaVersion: 2, mediaType, config, layers: [layer.descriptor] })
const named = {
  ...manifest,
  annotations: { 'org.opencontainers.image.ref.name': tag },
  platform: { architecture: arch, os: 'linux' },
}
const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [named] }
writeFileSync(join(directory, 'oci-layout'), `${JSON.stringify({ imageLayoutVersion: '1.0.0' })}\n`)
writeFileSync(join(directory, 'index.json'), `${JSON.stringify(index, null, 2)}\n`)
