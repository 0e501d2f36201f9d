import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { FileError, type Sandbox } from '../../../src/index.ts'
import { createFakePool, type FakePool } from '../../../src/testing/index.ts'

async function withSandbox(use: (sandbox: Sandbox, pool: FakePool) => Promise<void>, cwd = '/project'): Promise<void> {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox({ cwd })
  await use(sandbox, pool)
}

const text = 'héllo 🦆 \ufeff\n'
const webStream = (...pieces: string[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(Buffer.from(piece))
      controller.close()
    },
  })

test('what is written as text, bytes, a web stream, a Node stream or pieces is read back as text, bytes and a stream', () =>
  withSandbox(async ({ files }) => {
    const pieces = async function* () {
      yield 'hé'
      yield Buffer.from('llo 🦆 \ufeff\n')
    }
    for (const data of [
      text,
      Buffer.from(text),
      webStream('hé', 'llo 🦆 \ufeff\n'),
      Readable.from([Buffer.from(text)]),
      pieces(),
    ]) {
      await files.write('a/b', data)
      expect(await files.read('a/b')).toBe(text)
      expect(Buffer.from(await files.read('/project/a/b', { format: 'bytes' })).toString()).toBe(text)
      const chunks: Uint8Array[] = []
      for await (const chunk of (await files.read('a/b', { format: 'stream' })) as unknown as AsyncIterable<Uint8Array>)
        chunks.push(chunk)
      expect(Buffer.concat(chunks).toString()).toBe(text)
    }
  }))

test('a byte order mark stays, and what is no UTF-8 is replaced', () =>
  withSandbox(async ({ files }) => {
    await files.write('bom', '\ufeffx')
    expect(await files.read('bom')).toBe('\ufeffx')
    await files.write('broken', Uint8Array.of(0x61, 0xff, 0x62))
    expect(await files.read('broken')).toBe('a\ufffdb')
  }))

test('mode, owner and appending', () =>
  withSandbox(async ({ files }) => {
    await files.write('tool', 'x', { mode: 0o750, user: 'alice' })
    expect(await files.stat('tool')).toMatchObject({
      name: 'tool',
      path: '/project/tool',
      type: 'file',
      size: 1,
      mode: 0o750,
      owner: 'alice',
    })
    await files.write('tool', 'yz', { append: true })
    expect(await files.read('tool')).toBe('xyz')
    expect(await files.stat('tool')).toMatchObject({ mode: 0o750, owner: 'alice' })
    await files.write('tool', 'new')
    expect((await files.stat('tool')).mode).toBe(0o750)
  }))

test('list, stat, exists, mkdir, rename and remove', () =>
  withSandbox(async ({ files }, pool) => {
    void pool
    await files.mkdir('d/e')
    await files.mkdir('d')
    await files.write('d/b', '22')
    await files.write('d/a', '1')
    await files.write('d/e/deep', '')
    expect((await files.list('d')).map(({ path, type, size }) => [path, type, size])).toEqual([
      ['/project/d/a', 'file', 1],
      ['/project/d/b', 'file', 2],
      ['/project/d/e', 'directory', 0],
    ])
    expect((await files.list('d', { depth: 2 })).map(({ name }) => name)).toEqual(['a', 'b', 'e', 'deep'])
    expect((await files.stat('d')).modifiedAt).toBeInstanceOf(Date)
    await files.rename('d/a', 'd/b')
    expect(await files.read('d/b')).toBe('1')
    expect(await Promise.all(['d', 'd/a', 'd/b', 'd/b/no', 'no/no'].map((path) => files.exists(path)))).toEqual([
      true,
      false,
      true,
      false,
      false,
    ])
    await expect(files.remove('d')).rejects.toMatchObject({
      errno: 'ENOTEMPTY',
      message: expect.stringContaining('recursive: true'),
    })
    await files.remove('d', { recursive: true })
    expect(await files.exists('d')).toBe(false)
    await expect(files.remove('d')).rejects.toMatchObject({ errno: 'ENOENT' })
    await files.remove('d', { force: true })
    await files.remove('d/x', { force: true })
  }))

test.each<[string, string, string, (files: Sandbox['files']) => Promise<unknown>]>([
  ['a file that is not there', 'ENOENT', 'no', (files) => files.read('no')],
  ['a directory as a file', 'EISDIR', '/srv', (files) => files.read('/srv')],
  ['a file as a directory', 'ENOTDIR', 'f', (files) => files.list('f')],
  ['below a file', 'ENOTDIR', 'f/x', (files) => files.write('f/x', '')],
  ['onto a directory', 'EISDIR', '/srv', (files) => files.write('/srv', '')],
  ['a directory where a file is', 'EEXIST', 'f', (files) => files.mkdir('f')],
  ['a rename of nothing', 'ENOENT', 'no', (files) => files.rename('no', 'f')],
  ['a watch of nothing', 'ENOENT', 'no', (files) => files.watch('no')[Symbol.asyncIterator]().next()],
  ['a download of nothing', 'ENOENT', 'no', (files) => files.download('no', '/tmp/warmcell-no')],
])('%s is a FileError with %s and the path as it was given', (_, errno, path, call) =>
  withSandbox(async (sandbox) => {
    await sandbox.files.write('f', 'x')
    const error = await call(sandbox.files).catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(FileError)
    expect(error).toMatchObject({ code: 'FILE', errno, path, sandboxId: sandbox.id, retryable: false })
  }),
)

test.each<[string, (files: Sandbox['files']) => Promise<unknown>]>([
  ['an empty path', (files) => files.read('')],
  ['a NUL', (files) => files.stat('a\0b')],
  ['a path of 5,000 bytes', (files) => files.stat('x'.repeat(5_000))],
  ['an unknown option', (files) => files.read('a', { encoding: 'utf8' } as never)],
  ['a mode that is none', (files) => files.write('a', '', { mode: 0o10000 })],
  ['data that is none', (files) => files.write('a', 42 as never)],
  [
    'pieces that are none',
    (files) =>
      files.write(
        'a',
        (async function* () {
          yield 42
        })() as never,
      ),
  ],
  ['a depth of 0', (files) => files.list('a', { depth: 0 })],
  ['a format that is none', (files) => files.read('a', { format: 'json' as never })],
  ['an `onSkipped` that is none', (files) => files.download('a', 'b', { onSkipped: 1 as never })],
])('%s is INVALID_ARGUMENT, and nothing is written', (_, call) =>
  withSandbox(async ({ files, id }, pool) => {
    await expect(call(files)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('files.') })
    expect([...pool.guestOf({ id }).files.keys()]).toEqual([])
  }),
)

test('a source that fails leaves the old file, and its own error is what the caller gets', () =>
  withSandbox(async ({ files }) => {
    await files.write('f', 'old')
    const broken = new Error('the disk is gone')
    const source = async function* () {
      yield Buffer.alloc(100_000)
      throw broken
    }
    await expect(files.write('f', source())).rejects.toBe(broken)
    expect(await files.read('f')).toBe('old')
  }))

test('a stream that is cancelled, and one that is aborted, give their place back', () =>
  withSandbox(async ({ files }) => {
    await files.write('big', Buffer.alloc(2_000_000))
    const giveUp = new AbortController()
    for (let round = 0; round < 40; round++) {
      // More than there are places: each has to be given back for the next to be had.
      const stream = await files.read('big', { format: 'stream', signal: giveUp.signal })
      const reader = stream.getReader()
      expect((await reader.read()).done).toBe(false)
      if (round < 39) await reader.cancel()
      else {
        giveUp.abort(new Error('enough'))
        await expect(reader.read()).rejects.toThrow('enough')
      }
    }
    expect(await files.read('big').then(({ length }) => length)).toBe(2_000_000)
  }))

test('a time limit and a signal end each call, and nothing is left of it', () =>
  withSandbox(async (sandbox, pool) => {
    const { files } = sandbox
    await files.write('f', 'x')
    pool.guestOf(sandbox).hang()
    const calls: ((options: { timeoutMs?: number; signal?: AbortSignal }) => Promise<unknown>)[] = [
      (options) => files.read('f', options),
      (options) => files.read('f', { ...options, format: 'stream' }),
      (options) => files.write('f', 'y', options),
      (options) => files.list('/', options),
      (options) => files.stat('f', options),
      (options) => files.exists('f', options),
      (options) => files.mkdir('d', options),
      (options) => files.rename('f', 'g', options),
      (options) => files.remove('f', options),
      (options) => files.upload(import.meta.dirname, 'd', options),
      (options) => files.download('f', '/tmp/warmcell-never', options),
    ]
    for (const call of calls)
      await expect(call({ timeoutMs: 20 })).rejects.toMatchObject({ code: 'TIMEOUT', sandboxId: sandbox.id })
    for (const call of calls) {
      const signal = AbortSignal.timeout(20)
      expect(await call({ signal }).catch((error) => error)).toBe(signal.reason)
    }
    for (const call of calls) await expect(call({ signal: AbortSignal.abort('before') })).rejects.toBe('before')
  }))
