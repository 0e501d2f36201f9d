import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { diskFormatVersion, diskKey, disksLeft } from '../../../src/image/disk/index.ts'
import { rootFormatOf } from '../../../src/image/index.ts'
import type { ImageEvent } from '../../../src/image/oci/contract.ts'
import { Tools } from '../../../src/image/tool.ts'
import { attributesOf, contentOf, entriesOf, factsOf } from '../../support/disk.ts'
import { diskOf, pulledImage, tools } from '../../support/made-image.ts'
import { Scratch } from '../../support/scratch.ts'
import { directory, file, link, symlink, tarOf } from '../../support/tar.ts'

const may = Date.UTC(2024, 4, 1, 10) / 1_000
const longName = 'n'.repeat(255)
const longTarget = `/${'t'.repeat(200)}/x`
const deep = `${'d'.repeat(200)}/${'e'.repeat(200)}`
const bytes = (name: string) => Buffer.from(name, 'latin1')
/** CAP_NET_RAW, permitted and effective: a vfs_cap_data of version 2. */
const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')

const base = tarOf(
  directory('./', { mode: 0o751, uid: 3, gid: 4, mtime: may }),
  directory('bin'),
  file('bin/ping', 'ping'.repeat(1_000), {
    mode: 0o4755,
    mtime: may,
    pax: {
      'SCHILY.xattr.security.capability': capability,
      'SCHILY.xattr.user.note': 'a=b',
      'SCHILY.xattr.trusted.overlay.opaque': 'y',
    },
  }),
  link('bin/ping6', 'bin/ping'),
  symlink('sh', '/bin/busybox', { uid: 1_000, gid: 1_001 }),
  symlink('long-link', '', { pax: { linkpath: longTarget } }),
  { name: 'console', type: '3', mode: 0o600, major: 5, minor: 1 },
  { name: 'disk', type: '4', mode: 0o660, gid: 6, major: 259, minor: 70_000 },
  { name: 'pipe', type: '6', mode: 0o622 },
  directory('tmp', { mode: 0o1777, pax: { 'SCHILY.xattr.user.dir': 'yes' } }),
  file('owned', 'x', { uid: 3_000_000_000, gid: 65_534, mtime: 2 ** 32 - 1 }),
  file('empty'),
  file('hidden', 'secret'),
  file('gone/a', 'secret'),
  file('deep', '', { pax: { path: `${deep}/${longName}` } }),
  { name: bytes('latin-\xe9'), content: 'é' },
  file('odd \n\'"name', 'odd'),
)
const upper = tarOf(
  file('.wh.hidden'),
  file('gone/.wh..wh..opq'),
  file('gone/b', 'b'.repeat(300_000)),
  link('ping-again', 'bin/ping6'),
  file('bin/ping', 'new'),
)

describe('making a disk', () => {
  it('holds all that the layers say, and nothing that they hide', async () => {
    using scratch = new Scratch()
    const path = scratch.join('disk')
    const made = await diskOf(pulledImage(scratch, base, { tar: upper, compression: 'gzip' }), path)
    const found = entriesOf(path)
    expect(made).toEqual({ format: 'squashfs', sizeBytes: statSync(path).size, entries: 22 })
    expect(await rootFormatOf(path)).toBe('squashfs')
    expect(statSync(path).mode & 0o777).toBe(0o444)
    expect(found['']).toMatchObject({ mode: 'drwxr-x--x', owner: '3/4', mtime: '2024-05-01 10:00' })
    expect(found['bin/ping']).toMatchObject({ mode: '-rw-r--r--', size: '3' })
    expect(found['bin/ping6']).toMatchObject({ mode: '-rwsr-xr-x', size: '4000', mtime: '2024-05-01 10:00' })
    expect(found.sh).toMatchObject({ owner: '1000/1001', target: '/bin/busybox' })
    expect(found['long-link']).toMatchObject({ target: longTarget })
    expect(found.console).toMatchObject({ mode: 'crw-------', size: '5,1' })
    expect(found.disk).toMatchObject({ mode: 'brw-rw----', owner: '0/6' })
    expect(factsOf(path, '/disk')['Device number']).toContain('259:70000')
    expect(found.pipe).toMatchObject({ mode: 'prw--w--w-' })
    expect(found.tmp).toMatchObject({ mode: 'drwxrwxrwt' })
    expect(found.owned).toMatchObject({ owner: '3000000000/65534' })
    expect(factsOf(path, '/owned')['Last modified']).toContain('4294967295')
    expect(found[`${deep}/${longName}`]).toMatchObject({ size: '0' })
    expect(found['latin-\xe9']).toMatchObject({ size: '2' })
    expect(Object.keys(found).filter((name) => /hidden|gone|wh\./.test(name))).toEqual(['gone', 'gone/b'])
    expect(contentOf(path, '/odd \n\'"name')).toBe('odd')
    expect(contentOf(path, '/gone/b')).toBe('b'.repeat(300_000))
    expect(contentOf(path, '/ping-again')).toBe('ping'.repeat(1_000))
    const inodes = ['/bin/ping6', '/ping-again', '/bin/ping'].map((name) => factsOf(path, name))
    expect(inodes.map((facts) => facts['Hard link count'])).toEqual(['2', '2', undefined])
    expect(inodes[0]?.['Inode number']).toBe(inodes[1]?.['Inode number'])
    expect(inodes[2]?.['Inode number']).not.toBe(inodes[1]?.['Inode number'])
    expect(attributesOf(path, '/bin/ping6').map((line) => line.split('=')[0])).toEqual(['security.capability', 'user.note'])
    expect(attributesOf(path, '/bin/ping6')[1]).toBe('user.note=a=b')
    expect(attributesOf(path, '/tmp')).toEqual(['user.dir=yes'])
  })

  it('gives the same bytes however the layers are packed, and in whatever surroundings', async () => {
    using scratch = new Scratch()
    const images = [
      pulledImage(scratch, base, upper),
      pulledImage(scratch, { tar: base, compression: 'zstd' }, { tar: upper, compression: 'gzip' }),
      // Two members, one behind the other, as some registries' tools pack.
      pulledImage(
        scratch,
        {
          tar: base,
          compression: 'gzip',
          blob: Buffer.concat([gzipSync(base.subarray(0, 5_000)), gzipSync(base.subarray(5_000))]),
        },
        upper,
      ),
    ]
    const before = {
      umask: process.umask(),
      TZ: process.env.TZ,
      SOURCE_DATE_EPOCH: process.env.SOURCE_DATE_EPOCH,
      LANG: process.env.LANG,
    }
    try {
      const disks: Buffer[] = []
      for (const [index, image] of images.entries()) {
        const path = scratch.join(`disk${index}`)
        await diskOf(image, path)
        disks.push(readFileSync(path))
        Object.assign(process.env, { TZ: 'Pacific/Auckland', SOURCE_DATE_EPOCH: '1000000', LANG: 'tr_TR.UTF-8' })
        process.umask(0o077)
      }
      expect(disks[1]?.equals(disks[0] as Buffer)).toBe(true)
      expect(disks[2]?.equals(disks[0] as Buffer)).toBe(true)
    } finally {
      process.umask(before.umask)
      for (const name of ['TZ', 'SOURCE_DATE_EPOCH', 'LANG'] as const) {
        if (before[name] === undefined) delete process.env[name]
        else process.env[name] = before[name]
      }
    }
  })

  it('has one key for images that unpack to the same, and another for every other', async () => {
    using scratch = new Scratch()
    const key = await diskKey(pulledImage(scratch, base, upper), tools)
    expect(key).toMatch(/^[0-9a-f]{64}$/)
    expect(diskFormatVersion).toBeGreaterThan(0)
    expect(await diskKey(pulledImage(scratch, { tar: base, compression: 'gzip' }, upper), tools)).toBe(key)
    expect(await diskKey(pulledImage(scratch, upper, base), tools)).not.toBe(key)
    expect(await diskKey(pulledImage(scratch, base), tools)).not.toBe(key)
  })

  it('tells how far it is, to the end', async () => {
    using scratch = new Scratch()
    const image = pulledImage(scratch, base, { tar: upper, compression: 'gzip' })
    const events: ImageEvent[] = []
    await diskOf(image, scratch.join('disk'), { onEvent: (event) => events.push(event) })
    const totalBytes = 2 * image.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    expect(events.at(-1)).toEqual({ type: 'disk', reference: 'test:latest', doneBytes: totalBytes, totalBytes })
    const done = events.map((event) => (event.type === 'disk' ? event.doneBytes : -1))
    expect(done).toEqual(done.toSorted((a, b) => a - b))
  })

  it('makes a disk of no layers, and of one without entries', async () => {
    using scratch = new Scratch()
    expect(await diskOf(pulledImage(scratch), scratch.join('a'))).toMatchObject({ entries: 3 })
    expect(await diskOf(pulledImage(scratch, tarOf()), scratch.join('b'))).toMatchObject({ entries: 3 })
    expect(entriesOf(scratch.join('a'))['']).toMatchObject({ mode: 'drwxr-xr-x', owner: '0/0' })
  })

  it('replaces a disk in one stroke, and leaves what is there alone when it fails', async () => {
    using scratch = new Scratch()
    const path = scratch.file('out/disk', 'before')
    await expect(diskOf(pulledImage(scratch, tarOf(file('../a'))), path)).rejects.toMatchObject({ code: 'IMAGE' })
    expect(readFileSync(path, 'utf8')).toBe('before')
    await diskOf(pulledImage(scratch, base), path)
    expect(readdirSync(scratch.join('out'))).toEqual(['disk'])
    expect(await rootFormatOf(path)).toBe('squashfs')
  })

  it('finds the half-made disks of makers that are dead, and only those', async () => {
    using scratch = new Scratch()
    const dead = spawnSync('true').pid
    const [mine, theirs] = [`disk.${process.pid}-1-000000000000.00000000.draft`, `disk.${dead}-1-000000000000.00000000.draft`]
    for (const name of [mine, theirs, 'disk', 'disk.draft']) scratch.file(name, '')
    const left = await disksLeft(scratch.hostPath)
    expect(left.map(({ name }) => name).sort()).toEqual([mine, theirs].map((name) => scratch.join(name)).sort())
    for (const one of left) await one.remove()
    expect(readdirSync(scratch.hostPath).sort()).toEqual(['disk', 'disk.draft'])
  })
})

describe('making a disk that fails', () => {
  afterEach(() => void vi.unstubAllEnvs())

  it('says which program is missing, and how to get it', async () => {
    using scratch = new Scratch()
    vi.stubEnv('PATH', scratch.hostPath)
    const failed = expect(
      diskOf(pulledImage(scratch, base), scratch.join('disk'), { tools: new Tools(scratch.join('programs')) }),
    )
    await failed.rejects.toMatchObject({
      code: 'HOST_UNSUPPORTED',
      hint: expect.stringContaining('apt-get install squashfs-tools-ng'),
    })
    expect(existsSync(scratch.join('disk'))).toBe(false)
  })

  it('says what the program that makes it has said', async () => {
    using scratch = new Scratch()
    vi.stubEnv('PATH', `${dirname(scratch.script('bin/tar2sqfs', 'echo out of luck >&2; exit 3'))}:${process.env.PATH}`)
    const failed = expect(
      diskOf(pulledImage(scratch, base), scratch.join('disk'), { tools: new Tools(scratch.join('programs')) }),
    )
    await failed.rejects.toMatchObject({ code: 'IMAGE', message: 'tar2sqfs has ended with 3: out of luck.' })
    expect(readdirSync(scratch.hostPath).filter((name) => name.startsWith('disk'))).toEqual([])
  })

  it('says why it cannot be written where it shall be', async () => {
    using scratch = new Scratch()
    const failed = expect(diskOf(pulledImage(scratch, base), scratch.join('missing/disk')))
    await failed.rejects.toMatchObject({ code: 'IMAGE', message: expect.stringContaining('ENOENT') })
  })

  it('notices a layer that changes between its two readings', async () => {
    using scratch = new Scratch()
    const image = pulledImage(scratch, tarOf(file('a', 'x'.repeat(100_000)), file('b', 'y')))
    const hostPath = image.layers[0]?.hostPath ?? ''
    const changed = readFileSync(hostPath)
    changed.write('z', 512 + 50_000)
    let readings = 0
    const onEvent = () => {
      // The first is of the first reading; none comes sooner than its bytes.
      if (readings++ === 0) setImmediate(() => writeFileSync(hostPath, changed))
    }
    await expect(diskOf(image, scratch.join('out'), { onEvent })).rejects.toMatchObject({
      code: 'IMAGE',
      message: expect.stringContaining('unpacks to sha256:'),
    })
    expect(existsSync(scratch.join('out'))).toBe(false)
  })

  it('leaves nothing when it is aborted, however far it is', async () => {
    using scratch = new Scratch()
    const image = pulledImage(scratch, {
      tar: tarOf(file('a', Buffer.alloc(20_000_000, 'abcdefg').toString())),
      compression: 'gzip',
    })
    for (const after of [0, 1, 2, 5, 20, 50, 100]) {
      const abort = new AbortController()
      const reason = new Error(`after ${after}`)
      const timer = setTimeout(() => abort.abort(reason), after)
      await diskOf(image, scratch.join(`disk${after}`), { signal: abort.signal }).catch((error: unknown) =>
        expect(error).toBe(reason),
      )
      clearTimeout(timer)
    }
    expect(readdirSync(scratch.hostPath).filter((name) => name.endsWith('.draft'))).toEqual([])
    await expect(diskOf(image, scratch.join('never'), { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow(
      'before',
    )
  })
})
