import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { expect, test } from 'vitest'
import { encodeMessage } from '../../../src/agent/index.ts'
import { createFakePool } from '../../../src/testing/index.ts'
import { Scratch } from '../../support/scratch.ts'
import { hostileGuest } from './hostile-guest.ts'

/** A tree with one of each kind that travels. */
function sampleTree(scratch: Scratch): string {
  scratch.file('tree/main.sh', 'echo hi', 0o755)
  scratch.file('tree/lib/a.txt', 'a'.repeat(70_000), 0o600)
  scratch.file('tree/lib/empty', '')
  mkdirSync(scratch.join('tree/none'), { mode: 0o750 })
  symlinkSync('../main.sh', scratch.join('tree/lib/link'))
  symlinkSync('nowhere', scratch.join('tree/dangling'))
  utimesSync(scratch.join('tree/main.sh'), 1_700_000_000, 1_700_000_000)
  utimesSync(scratch.join('tree/lib'), 1_600_000_000, 1_600_000_000)
  return scratch.join('tree')
}

test('a tree goes there and back: content, modes, times and links', async () => {
  using scratch = new Scratch()
  const tree = sampleTree(scratch)
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox({ user: 'alice', cwd: '/project' })
  await sandbox.files.upload(tree, 'deep/tree')
  expect(await sandbox.files.read('/project/deep/tree/main.sh')).toBe('echo hi')
  expect(await sandbox.files.stat('deep/tree/lib/link')).toMatchObject({ type: 'symlink', symlinkTarget: '../main.sh' })
  expect(await sandbox.files.stat('deep/tree/main.sh')).toMatchObject({
    mode: 0o755,
    owner: 'alice',
    modifiedAt: new Date(1_700_000_000_000),
  })
  await sandbox.files.download('deep/tree', scratch.join('back'))
  const facts = (top: string) =>
    ['', ...readdirSync(top, { recursive: true, encoding: 'utf8' }).sort()].map((name) => {
      const found = lstatSync(`${top}/${name}`)
      const content = found.isFile()
        ? createHash('sha256')
            .update(readFileSync(`${top}/${name}`))
            .digest('hex')
        : found.isSymbolicLink()
          ? readlinkSync(`${top}/${name}`)
          : ''
      return [name, found.mode, found.isFile() ? Math.round(found.mtimeMs) : 0, content]
    })
  expect(facts(scratch.join('back'))).toEqual(facts(tree))
  expect(lstatSync(scratch.join('back/lib')).mtimeMs).toBe(1_600_000_000_000)
})

test('one file goes there and back, over what is there', async () => {
  using scratch = new Scratch()
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  await sandbox.files.write('/srv/f', 'old')
  await sandbox.files.upload(scratch.file('f', 'new'), '/srv/f')
  await sandbox.files.download('/srv/f', scratch.file('g', 'old'))
  expect(readFileSync(scratch.join('g'), 'utf8')).toBe('new')
  await expect(sandbox.files.upload(scratch.join('f'), '/srv')).rejects.toMatchObject({ errno: 'EISDIR', path: '/srv' })
})

test('a link as the top is followed, links below it are not', async () => {
  using scratch = new Scratch()
  sampleTree(scratch)
  symlinkSync('tree', scratch.join('way'))
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  await sandbox.files.upload(scratch.join('way'), '/t')
  expect((await sandbox.files.stat('/t')).type).toBe('directory')
  expect((await sandbox.files.stat('/t/dangling')).type).toBe('symlink')
})

test('what is no file, directory or link is refused by its path on the host', async () => {
  using scratch = new Scratch()
  const tree = sampleTree(scratch)
  execFileSync('mkfifo', [`${tree}/lib/fifo`])
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  await expect(sandbox.files.upload(tree, '/t')).rejects.toMatchObject({
    code: 'FILE',
    errno: 'EINVAL',
    path: `${tree}/lib/fifo`,
  })
  await expect(sandbox.files.upload('/dev/null', '/t')).rejects.toMatchObject({ errno: 'EINVAL', path: '/dev/null' })
  await expect(sandbox.files.upload(scratch.join('no'), '/t')).rejects.toMatchObject({
    errno: 'ENOENT',
    path: scratch.join('no'),
  })
})

test.each<[string, (file: string) => void]>([
  ['grows', (file) => appendFileSync(file, 'more')],
  ['shrinks', (file) => truncateSync(file, 1_000_000)],
])('a file that %s while it is sent is EBUSY, and does not appear', async (_, change) => {
  using scratch = new Scratch()
  const file = scratch.file('f', Buffer.alloc(4_000_000))
  let took = 0
  let reset = false
  using hostile = await hostileGuest((_message, stream) => {
    stream.on('data', (chunk: Buffer) => {
      if (took === 0) change(file)
      took += chunk.length
    })
    stream.on('close', () => {
      reset = !stream.readableEnded
    })
  })
  await expect(hostile.files.upload(file, '/f')).rejects.toMatchObject({
    code: 'FILE',
    errno: 'EBUSY',
    path: file,
    retryable: true,
  })
  await expect.poll(() => reset).toBe(true)
})

test('a file whose size is not told, as of /proc, is refused and not taken for an empty one', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  await expect(sandbox.files.upload('/proc/self/status', '/status')).rejects.toMatchObject({
    code: 'FILE',
    errno: 'EINVAL',
    path: '/proc/self/status',
  })
  expect(await sandbox.files.exists('/status')).toBe(false)
})

test('a guest that is full says so at once, and the walk stops', async () => {
  using scratch = new Scratch()
  for (let index = 0; index < 200; index++) scratch.file(`tree/${index}`, Buffer.alloc(100_000))
  using hostile = await hostileGuest((_message, stream) => {
    stream.resume()
    stream.end(encodeMessage({ type: 'Failed', errno: 'ENOSPC', step: 'write', message: 'no space left on device' }))
  })
  await expect(hostile.files.upload(scratch.join('tree'), '/t')).rejects.toMatchObject({
    errno: 'ENOSPC',
    path: '/t',
    message: expect.stringContaining('diskMib'),
  })
  await expect.poll(() => hostile.guest.streamCount).toBe(0)
})

test('a tree deeper than is walked is refused', async () => {
  using scratch = new Scratch()
  const names = Array.from({ length: 300 }, () => 'd')
  mkdirSync(scratch.join(['tree', ...names].join('/')), { recursive: true })
  writeFileSync(scratch.join('tree/f'), '')
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  await expect(sandbox.files.upload(scratch.join('tree'), '/t')).rejects.toMatchObject({ errno: 'ENAMETOOLONG' })
})

test('an upload follows no link below its top', async () => {
  using scratch = new Scratch()
  scratch.file('link/lib/f', '')
  symlinkSync('/etc', scratch.join('lib'))
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  mkdirSync(scratch.join('first'))
  symlinkSync('/etc', scratch.join('first/lib'))
  await sandbox.files.upload(scratch.join('first'), '/t')
  await expect(sandbox.files.upload(scratch.join('link'), '/t')).rejects.toMatchObject({ code: 'FILE', path: '/t' })
  expect(await sandbox.files.exists('/etc/f')).toBe(false)
})

test('forty copies at once within one sandbox do not wait for each other', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  await sandbox.files.write('/srv/from', Buffer.alloc(600_000, 'x'))
  const copies = Array.from({ length: 40 }, async (_, index) => {
    const stream = await sandbox.files.read('/srv/from', { format: 'stream' })
    await sandbox.files.write(`/srv/to${index}`, stream)
  })
  await Promise.all(copies)
  expect((await sandbox.files.list('/srv')).every(({ size }) => size === 600_000)).toBe(true)
})
