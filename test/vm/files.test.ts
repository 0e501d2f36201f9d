/** Files of a real microVM: whole, in bounded memory, and safe from what a tenant does meanwhile. */

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs'
import { describe, expect, it } from 'vitest'
import { FileError, type FileEvent } from '../../src/index.ts'
import { growth, mib } from '../support/memory.ts'
import { Scratch } from '../support/scratch.ts'
import { poolOfThisFile, sandboxOfThisFile } from './vm.ts'

const bigMib = Number(process.env.WARMCELL_TEST_FILE_MIB ?? 256)
// The writable layer lives in the guest's memory, of which it takes three quarters at most.
const roomy = { memoryMib: Math.ceil((bigMib * 3 + 256) / 64) * 64, diskMib: bigMib * 2 + 64 }
const pool = poolOfThisFile({ templates: { roomy: { resources: roomy }, small: { resources: { diskMib: 16 } } } })
const sandbox = sandboxOfThisFile(pool, { user: 'root' })
const files = () => sandbox().files

describe('a file', () => {
  it('is read as it was written: text, bytes, a stream', async () => {
    const data = randomBytes(3 * mib)
    await files().write('/srv/data', data)
    expect(data.equals(await files().read('/srv/data', { format: 'bytes' }))).toBe(true)
    const hash = createHash('sha256')
    for await (const chunk of (await files().read('/srv/data', { format: 'stream' })) as unknown as AsyncIterable<Uint8Array>)
      hash.update(chunk)
    expect(hash.digest()).toEqual(createHash('sha256').update(data).digest())
    await files().write('/srv/text', 'héllo 🦆\n')
    expect(await files().read('/srv/text')).toBe('héllo 🦆\n')
    expect((await sandbox().exec(['cat', '/srv/text'])).stdout).toBe('héllo 🦆\n')
  })

  it('has its mode, its owner and its time; what is appended changes neither', async () => {
    await files().write('/srv/tool', '#!/bin/sh\necho it runs', { mode: 0o755, user: '1234:1234' })
    expect((await sandbox().exec(['/srv/tool'])).stdout).toBe('it runs\n')
    await files().write('/srv/tool', '; echo twice', { append: true })
    expect((await sandbox().exec(['/srv/tool'])).stdout).toBe('it runs\ntwice\n')
    expect(await files().stat('/srv/tool')).toMatchObject({
      name: 'tool',
      path: '/srv/tool',
      type: 'file',
      mode: 0o755,
      owner: '1234',
    })
    expect(Math.abs((await files().stat('/srv/tool')).modifiedAt.getTime() - Date.now())).toBeLessThan(60_000)
  })

  it('of the kernel has more than its size says', async () => {
    expect(await files().read('/proc/sys/kernel/ostype')).toBe('Linux\n')
  })

  it('is old or new for a reader, never half', async () => {
    await files().write('/srv/swap', 'a'.repeat(100_000))
    const looking = sandbox().exec(
      'i=0; while [ $i -lt 60 ]; do tr -d a < /srv/swap | tr -d b | wc -c; cut -c1 /srv/swap; i=$((i+1)); done | sort -u | tr "\\n" " "',
    )
    for (let round = 0; round < 10; round++) await files().write('/srv/swap', (round % 2 === 0 ? 'b' : 'a').repeat(100_000))
    expect((await looking).stdout).toMatch(/^0 (a )?(b )?$/)
  })

  it('whose source fails leaves what was there', async () => {
    await files().write('/srv/kept', 'old')
    const source = async function* () {
      yield randomBytes(mib)
      throw new Error('the disk is gone')
    }
    await expect(files().write('/srv/kept', source())).rejects.toThrow('the disk is gone')
    expect(await files().read('/srv/kept')).toBe('old')
    expect((await files().list('/srv')).filter(({ name }) => name.startsWith('.'))).toEqual([])
  })
})

describe('the tree', () => {
  it('is made, listed, renamed and removed', async () => {
    await files().mkdir('/srv/d/e/f')
    await files().write('/srv/d/b', '22')
    await sandbox().exec('ln -s b /srv/d/l; mkfifo /srv/d/p', { check: true })
    expect(
      (await files().list('/srv/d', { depth: 9 })).map(({ path, type, symlinkTarget }) => [path, type, symlinkTarget]),
    ).toEqual([
      ['/srv/d/b', 'file', undefined],
      ['/srv/d/e', 'directory', undefined],
      ['/srv/d/e/f', 'directory', undefined],
      ['/srv/d/l', 'symlink', 'b'],
      ['/srv/d/p', 'other', undefined],
    ])
    expect((await files().list('/')).map(({ path }) => path)).toEqual(expect.arrayContaining(['/etc', '/srv']))
    await files().rename('/srv/d/b', '/srv/d/c')
    expect(await Promise.all(['/srv/d/b', '/srv/d/c', '/srv/d/l', '/srv/d/l/x'].map((path) => files().exists(path)))).toEqual([
      false,
      true,
      true,
      false,
    ])
    await expect(files().remove('/srv/d')).rejects.toMatchObject({ errno: 'ENOTEMPTY' })
    await files().remove('/srv/d', { recursive: true })
    await files().remove('/srv/d', { recursive: true, force: true })
    expect(await files().exists('/srv/d')).toBe(false)
  })

  it.each<[string, string, () => Promise<unknown>]>([
    ['ENOENT', '/no', () => files().read('/no')],
    ['ENOENT', '/no', () => files().stat('/no')],
    ['ENOENT', '/no', () => files().list('/no')],
    ['ENOENT', '/no', () => files().remove('/no')],
    ['ENOENT', '/no', () => files().rename('/no', '/no2')],
    ['ENOENT', '/no', () => files().watch('/no')[Symbol.asyncIterator]().next()],
    ['ENOENT', '/no', () => files().download('/no', '/tmp/warmcell-no')],
    ['EISDIR', '/srv', () => files().read('/srv')],
    ['EISDIR', '/srv', () => files().write('/srv', '')],
    ['ENOTDIR', '/etc/passwd', () => files().list('/etc/passwd')],
    ['ENOTDIR', '/etc/passwd/x', () => files().write('/etc/passwd/x', '')],
    ['EEXIST', '/etc/passwd', () => files().mkdir('/etc/passwd')],
  ])('says %s about %s', async (errno, path, call) => {
    const error = await call().catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(FileError)
    expect(error).toMatchObject({ errno, path })
  })

  it('that is full says so, and stops the source', async () => {
    await using small = await pool().createSandbox({ template: 'small' })
    let released = false
    const endless = async function* () {
      try {
        for (;;) yield Buffer.alloc(65_536)
      } finally {
        released = true
      }
    }
    await expect(small.files.write('/srv/big', endless())).rejects.toMatchObject({
      errno: 'ENOSPC',
      message: expect.stringContaining('diskMib'),
    })
    await expect.poll(() => released).toBe(true)
    expect(await small.files.exists('/srv/big')).toBe(false)
    await small.files.write('/srv/little', 'there is room again')
  })
})

describe('a watch', () => {
  it('tells what commands do, in a tree that grows', async () => {
    await files().mkdir('/srv/w')
    const events: FileEvent[] = []
    const watching = (async () => {
      for await (const event of files().watch('/srv/w', { recursive: true })) events.push(event)
    })()
    // The first `next` has been called; the watch comes on before what is asked after it.
    await files().stat('/srv/w')
    await new Promise((resolve) => setTimeout(resolve, 500))
    await sandbox().exec(
      'cd /srv/w && echo 1 > a && mkdir d && sleep 0.2 && echo 2 > d/b && mv a c && rm c && sleep 0.2 && rm -r /srv/w',
    )
    await watching
    const told = events.map(({ type, path, from }) => `${type} ${from === undefined ? '' : `${from} `}${path}`)
    expect(told).toEqual(
      expect.arrayContaining([
        'create /srv/w/a',
        'write /srv/w/a',
        'create /srv/w/d',
        'create /srv/w/d/b',
        'rename /srv/w/a /srv/w/c',
        'remove /srv/w/c',
        'remove /srv/w',
      ]),
    )
  })

  it('ends with its signal', async () => {
    const giveUp = new AbortController()
    const watch = files().watch('/srv', { signal: giveUp.signal })[Symbol.asyncIterator]()
    const next = watch.next()
    setTimeout(() => giveUp.abort(new Error('enough')), 200)
    await expect(next).rejects.toThrow('enough')
  })
})

describe('upload and download', () => {
  it('carry a tree there and back', async () => {
    using scratch = new Scratch()
    scratch.file('tree/bin/tool', '#!/bin/sh\necho "$0"', 0o755)
    scratch.file('tree/data', randomBytes(300_000))
    scratch.file('tree/empty', '')
    mkdirSync(scratch.join('tree/none'))
    symlinkSync('../data', scratch.join('tree/bin/link'))
    for (let index = 0; index < 300; index++) scratch.file(`tree/many/${index}`, `${index}`)
    await files().upload(scratch.join('tree'), '/srv/up/tree')
    expect((await sandbox().exec(['/srv/up/tree/bin/tool'])).stdout).toBe('/srv/up/tree/bin/tool\n')
    expect((await files().list('/srv/up/tree/many')).length).toBe(300)
    await files().download('/srv/up/tree', scratch.join('back'))
    const names = readdirSync(scratch.join('tree'), { recursive: true, encoding: 'utf8' }).sort()
    expect(readdirSync(scratch.join('back'), { recursive: true, encoding: 'utf8' }).sort()).toEqual(names)
    for (const name of names) {
      const [one, other] = ['tree', 'back'].map((top) => lstatSync(scratch.join(`${top}/${name}`)))
      expect([name, other?.mode]).toEqual([name, one?.mode])
      if (one?.isFile()) {
        expect(readFileSync(scratch.join(`back/${name}`)).equals(readFileSync(scratch.join(`tree/${name}`)))).toBe(true)
        expect(Math.abs((other?.mtimeMs ?? 0) - one.mtimeMs)).toBeLessThan(1)
      }
    }
    expect(readlinkSync(scratch.join('back/bin/link'))).toBe('../data')
  })

  it('leave out what a tenant puts into a tree to get out of it', async () => {
    using scratch = new Scratch()
    await sandbox().exec(
      'mkdir -p /srv/evil/d && cd /srv/evil && ln -s / root && ln -s ../../etc/passwd up && ln -s d ok && mkfifo pipe && echo x > d/f && chmod 4755 d/f',
      { check: true },
    )
    await expect(files().download('/srv/evil', scratch.join('out'))).rejects.toMatchObject({ code: 'FILE' })
    expect(readdirSync(scratch.hostPath)).toEqual([])
    const skipped: string[] = []
    await files().download('/srv/evil', scratch.join('out'), { onSkipped: ({ path }) => skipped.push(path) })
    expect(skipped.sort()).toEqual(['pipe', 'root', 'up'])
    expect(readdirSync(scratch.join('out')).sort()).toEqual(['d', 'ok'])
    expect(lstatSync(scratch.join('out/d/f')).mode & 0o7000).toBe(0)
  })

  it('take the whole of a machine home, without what its kernel makes up', async () => {
    using scratch = new Scratch()
    const skipped: string[] = []
    await using other = await pool().createSandbox()
    await other.files.download('/', scratch.join('root'), { onSkipped: ({ path }) => skipped.push(path) })
    expect(readFileSync(scratch.join('root/etc/passwd'), 'utf8')).toContain('root:')
    expect(skipped).toEqual(expect.arrayContaining(['proc', 'sys']))
    await expect(other.files.download('/proc/cpuinfo', scratch.join('cpuinfo'))).rejects.toMatchObject({ errno: 'EINVAL' })
  })

  it('take no file out of nothing that fills the disk of the host', async () => {
    using scratch = new Scratch()
    await sandbox().exec(['truncate', '-s', '100G', '/srv/sparse'], { check: true })
    await expect(files().download('/srv/sparse', scratch.join('out'))).rejects.toMatchObject({ errno: 'EFBIG' })
    await expect(files().read('/srv/sparse')).rejects.toMatchObject({ errno: 'EFBIG' })
    expect(readdirSync(scratch.hostPath)).toEqual([])
    await files().remove('/srv/sparse')
  })

  it('survive a tenant who swaps directories for links meanwhile', async () => {
    using scratch = new Scratch()
    await sandbox().exec('mkdir -p /srv/swapping/d && for i in $(seq 200); do echo $i > /srv/swapping/d/$i; done', {
      check: true,
    })
    await using swapper = await sandbox().spawn('cd /srv/swapping; while :; do mv d e; ln -s /etc d; rm d; mv e d; done')
    for (let round = 0; round < 5; round++) {
      const out = scratch.join(`out${round}`)
      await files()
        .download('/srv/swapping', out, { onSkipped: () => {} })
        .catch((error: unknown) => expect(error).toBeInstanceOf(FileError))
      if (existsSync(out))
        for (const name of readdirSync(out, { recursive: true, encoding: 'utf8' })) expect(name).toMatch(/^[de](\/\d+)?$/)
    }
    await swapper.kill('SIGKILL')
    expect(readdirSync(scratch.hostPath).every((name) => name.startsWith('out'))).toBe(true)
  })

  it(`carry ${bigMib} MiB there and back in bounded memory`, async () => {
    using scratch = new Scratch()
    const big = createWriteStream(scratch.join('big'))
    const sent = createHash('sha256')
    for (let index = 0; index < bigMib; index++) {
      const piece = randomBytes(mib)
      sent.update(piece)
      if (!big.write(piece)) await once(big, 'drain')
    }
    big.end()
    await once(big, 'close')
    await using roomySandbox = await pool().createSandbox({ template: 'roomy' })
    const grown = await growth(async () => {
      await roomySandbox.files.upload(scratch.join('big'), '/srv/big')
      expect((await roomySandbox.files.stat('/srv/big')).size).toBe(bigMib * mib)
      await roomySandbox.files.download('/srv/big', scratch.join('back'))
    })
    const received = createHash('sha256')
    for await (const chunk of createReadStream(scratch.join('back'))) received.update(chunk)
    expect(received.digest('hex')).toBe(sent.digest('hex'))
    expect(grown).toBeLessThan(128 * mib)
  }, 600_000)
})
