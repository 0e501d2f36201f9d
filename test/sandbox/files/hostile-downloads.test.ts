import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { encodeMessage, type GuestMessage } from '../../../src/agent/index.ts'
import { Scratch } from '../../support/scratch.ts'
import { entry, hostileGuest, type Said, saying, top } from './hostile-guest.ts'

const link = (path: string, target: string) => entry(path, 'symlink', { target, mode: 0o777 })
const bytes = (text: string) => Buffer.from(text)
const file = (path: string, text: string, mode = 0o644): Said[] => [
  entry(path, 'file', { sizeBytes: text.length, mode }),
  bytes(text),
]

/** The encoder sends no NUL: it is put in afterwards. */
function nulEntry(): Uint8Array {
  const message = encodeMessage(entry('a-b'))
  message[message.indexOf('a-b') + 1] = 0
  return message
}

/** Downloads what a guest says into `out` of a directory with something beside it; what is left of that afterwards. */
async function downloaded(
  said: Said[],
  options: Parameters<Awaited<ReturnType<typeof hostileGuest>>['files']['download']>[2] = {},
) {
  const scratch = new Scratch()
  scratch.file('beside', 'untouched')
  using hostile = await hostileGuest(saying(...said))
  const error = await hostile.files.download('/srv/tree', scratch.join('out'), options).then(
    () => undefined,
    (failure) => failure,
  )
  expect(readFileSync(scratch.join('beside'), 'utf8')).toBe('untouched')
  // Nothing but what was there and, at most, what was asked for: also no staging is left.
  expect(readdirSync(scratch.hostPath).filter((name) => name !== 'out')).toEqual(['beside'])
  return { scratch, error, out: scratch.join('out'), [Symbol.dispose]: () => scratch[Symbol.dispose]() }
}

test.each<[string, Said[], string]>([
  ['a name that climbs', [top, ...file('../beside', 'x')], 'EINVAL'],
  ['a name that climbs from below', [top, entry('a', 'directory'), ...file('a/../../beside', 'x')], 'EINVAL'],
  ['an absolute name', [top, ...file('/etc/cron.d/evil', 'x')], 'EINVAL'],
  ['a dot', [top, ...file('./a', 'x')], 'EINVAL'],
  ['an empty component', [top, entry('a', 'directory'), ...file('a//b', 'x')], 'EINVAL'],
  ['a NUL', [top, nulEntry()], 'EINVAL'],
  ['a name twice', [top, ...file('a', 'x'), ...file('a', 'y')], 'EEXIST'],
  ['a directory twice', [top, entry('a', 'directory'), entry('a', 'directory')], 'EEXIST'],
  ['the top twice', [top, top], 'EEXIST'],
  ['a directory that was a file', [top, ...file('a', 'x'), entry('a', 'directory'), ...file('a/b', 'y')], 'EEXIST'],
  ['a child of a file', [top, ...file('a', 'x'), ...file('a/b', 'y')], 'ENOTDIR'],
  ['a child of a link', [top, link('a', 'b'), ...file('a/beside', 'y')], 'ENOTDIR'],
  ['a link swapped for a directory', [top, link('a', 'b'), entry('a', 'directory'), ...file('a/c', 'y')], 'EEXIST'],
  ['a child without a directory', [top, ...file('a/b', 'y')], 'ENOTDIR'],
  ['a child without a top', [...file('a', 'y')], 'ENOTDIR'],
  ['a link as the top', [link('', '../beside')], 'EINVAL'],
  ['a link that climbs out', [top, link('a', '../beside')], 'EXDEV'],
  ['a link to an absolute path', [top, link('a', '/etc/passwd')], 'EXDEV'],
  ['a link that goes down and climbs out', [top, entry('d', 'directory'), link('d/a', 'x/../../../beside')], 'EXDEV'],
  ['a link without a target', [top, entry('a', 'symlink')], 'EINVAL'],
  ['a device', [top, entry('null', 'other')], 'EINVAL'],
  ['a name of 256 bytes', [top, ...file('x'.repeat(256), 'y')], 'ENAMETOOLONG'],
  ['a path of 4,097 bytes', [top, ...file(`${'x/'.repeat(2_048)}y`, 'y')], 'ENAMETOOLONG'],
  ['a path of 300 levels', [top, ...file(`${'x/'.repeat(300)}y`, 'y')], 'ENAMETOOLONG'],
  ['a claim of 10 GiB', [top, entry('a', 'file', { sizeBytes: 10 * 1_024 ** 3 })], 'EFBIG'],
  ['a claim of the largest number', [top, entry('a', 'file', { sizeBytes: Number.MAX_SAFE_INTEGER })], 'EFBIG'],
  ['a file that is broken off', [top, entry('a', 'file', { sizeBytes: 10 }), bytes('12345'), 'reset'], 'EIO'],
  ['a tree that is broken off', [top, ...file('a', 'x'), 'reset'], 'EIO'],
])('%s fails the download, and nothing appears', async (_, said, errno) => {
  using result = await downloaded(said)
  expect(result.error).toMatchObject({ code: 'FILE', errno })
  expect(existsSync(result.out)).toBe(false)
})

test.each<[string, Said[]]>([
  ['a file that ends early', [top, entry('a', 'file', { sizeBytes: 10 }), bytes('12345')]],
  ['a file with more bytes than it claims', [top, entry('a', 'file', { sizeBytes: 2 }), bytes('12'), bytes('no message at all')]],
  ['another message in the tree', [top, { type: 'Done' }]],
])('%s breaks the wire, and nothing appears', async (_, said) => {
  using result = await downloaded(said)
  expect(result.error).toMatchObject({ code: 'PROTOCOL' })
  expect(existsSync(result.out)).toBe(false)
})

test('an endless tree can be given up, and leaves nothing', async () => {
  using scratch = new Scratch()
  let said = 0
  using hostile = await hostileGuest((_, stream) => {
    stream.resume()
    stream.write(encodeMessage(top))
    const more = (): void => {
      while (!stream.destroyed && stream.write(encodeMessage(entry(`link-${said++}`, 'symlink', { target: 'x' }))));
      if (!stream.destroyed) stream.once('drain', more)
    }
    more()
  })
  await expect(hostile.files.download('/', scratch.join('out'), { signal: AbortSignal.timeout(500) })).rejects.toBeDefined()
  expect(said).toBeGreaterThan(1_000)
  expect(readdirSync(scratch.hostPath)).toEqual([])
})

test('what is not taken is told, and left out', async () => {
  const skipped: unknown[] = []
  using result = await downloaded(
    [top, link('out', '../beside'), link('abs', '/etc/passwd'), entry('sock', 'other'), link('in', 'a'), ...file('a', 'x')],
    { onSkipped: (one) => skipped.push(one) },
  )
  expect(result.error).toBeUndefined()
  expect(skipped).toEqual([
    { path: 'out', reason: 'a symbolic link that leads out of the tree' },
    { path: 'abs', reason: 'a symbolic link to an absolute path' },
    { path: 'sock', reason: 'neither a file nor a directory nor a symbolic link' },
  ])
  expect(readdirSync(result.out).sort()).toEqual(['a', 'in'])
  expect(readFileSync(`${result.out}/in`, 'utf8')).toBe('x')
})

test('an `onSkipped` that throws fails the download with its own error', async () => {
  const broken = new Error('not these')
  using result = await downloaded([top, link('abs', '/etc/passwd')], {
    onSkipped: () => {
      throw broken
    },
  })
  expect(result.error).toBe(broken)
  expect(existsSync(result.out)).toBe(false)
})

test('set-user-id is nothing that crosses over, and a directory stays its owner’s', async () => {
  using result = await downloaded([
    entry('', 'directory', { mode: 0o7000 }),
    ...file('tool', 'x', 0o6711),
    entry('shut', 'directory', { mode: 0 }),
    ...file('shut/in', 'y', 0o400),
  ])
  expect(result.error).toBeUndefined()
  const mode = (name: string): number => lstatSync(`${result.out}/${name}`).mode & 0o7777
  expect([mode(''), mode('tool'), mode('shut'), mode('shut/in')]).toEqual([0o700, 0o711, 0o700, 0o400])
})

test('a name that is not the host’s own to hold fails, whatever else is there', async () => {
  // As on a file system where two names are one: the second is found there, and nothing is opened or followed.
  using result = await downloaded([top, link('A', 'a'), ...file('a', 'x')])
  expect(result.error).toBeUndefined()
  expect(readdirSync(result.out).sort()).toEqual(['A', 'a'])
})

test('a tree goes only where nothing is, or an empty directory', async () => {
  using scratch = new Scratch()
  using hostile = await hostileGuest(saying(top, ...file('a', 'new')))
  mkdirSync(scratch.join('empty'))
  scratch.file('full/mine', 'mine')
  scratch.file('file', 'mine')
  mkdirSync(scratch.join('elsewhere'))
  symlinkSync('elsewhere', scratch.join('link'))
  await hostile.files.download('/t', scratch.join('empty'))
  expect(readFileSync(scratch.join('empty/a'), 'utf8')).toBe('new')
  for (const [name, errno] of [
    ['full', 'ENOTEMPTY'],
    ['file', 'EEXIST'],
    ['link', 'EEXIST'],
    ['no/such', 'ENOENT'],
  ] as const) {
    await expect(hostile.files.download('/t', scratch.join(name))).rejects.toMatchObject({
      code: 'FILE',
      errno,
      path: scratch.join(name),
    })
  }
  expect(readdirSync(scratch.hostPath).sort()).toEqual(['elsewhere', 'empty', 'file', 'full', 'link'])
  expect(readdirSync(scratch.join('elsewhere'))).toEqual([])
})

test('a file replaces a file, and a link itself, never what that leads to', async () => {
  using scratch = new Scratch()
  using hostile = await hostileGuest(saying(...file('', 'new', 0o600)))
  scratch.file('old', 'old')
  scratch.file('precious', 'precious')
  symlinkSync('precious', scratch.join('link'))
  mkdirSync(scratch.join('directory'))
  await hostile.files.download('/f', scratch.join('old'))
  await hostile.files.download('/f', scratch.join('link'))
  expect(['old', 'link', 'precious'].map((name) => readFileSync(scratch.join(name), 'utf8'))).toEqual(['new', 'new', 'precious'])
  expect(lstatSync(scratch.join('link')).isFile()).toBe(true)
  await expect(hostile.files.download('/f', scratch.join('directory'))).rejects.toMatchObject({ errno: 'EISDIR' })
})

test('`maxBytes` counts all files together', async () => {
  using within = await downloaded([top, ...file('a', '12345'), ...file('b', '67890')], { maxBytes: 10 })
  expect(within.error).toBeUndefined()
  using beyond = await downloaded([top, ...file('a', '12345'), ...file('b', '678901')], { maxBytes: 10 })
  expect(beyond.error).toMatchObject({ errno: 'EFBIG', message: expect.stringContaining('maxBytes') })
})

test.each([0, 1, 2, 3])('given up after %i entries, it leaves nothing', async (entries) => {
  using scratch = new Scratch()
  writeFileSync(scratch.join('out'), 'old')
  const giveUp = new AbortController()
  using hostile = await hostileGuest((_, stream) => {
    stream.resume()
    const all: Said[] = [top, entry('d', 'directory'), entry('d/a', 'file', { sizeBytes: 1_000_000 }), Buffer.alloc(70_000)]
    for (const one of all.slice(0, entries)) stream.write(one instanceof Uint8Array ? one : encodeMessage(one as GuestMessage))
    setTimeout(() => giveUp.abort(new Error('enough')), 50)
  })
  await expect(hostile.files.download('/t', scratch.join('new'), { signal: giveUp.signal })).rejects.toThrow('enough')
  expect(readdirSync(scratch.hostPath)).toEqual(['out'])
  await expect.poll(() => hostile.guest.streamCount).toBe(0)
})

test('a guest that ends meanwhile leaves nothing', async () => {
  using scratch = new Scratch()
  using hostile = await hostileGuest((_, stream) => {
    stream.write(encodeMessage(top))
    stream.write(encodeMessage(entry('a', 'file', { sizeBytes: 100 })))
    setTimeout(() => hostile.guest.destroy(), 50)
  })
  await expect(hostile.files.download('/t', scratch.join('out'))).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' })
  expect(readdirSync(scratch.hostPath)).toEqual([])
})
