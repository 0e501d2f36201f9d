import { expect, test } from 'vitest'
import { encodeMessage } from '../../../src/agent/index.ts'
import type { FileEvent } from '../../../src/index.ts'
import { createFakePool } from '../../../src/testing/index.ts'
import { hostileGuest } from './hostile-guest.ts'

test('changes are told from the first `next` on, whoever makes them', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox({ cwd: '/project' })
  const { files } = sandbox
  await files.write('before', '')
  const watch = files.watch('/project')[Symbol.asyncIterator]()
  const first = watch.next()
  await files.list('/project')
  await files.write('a', '1')
  await files.write('a', '2')
  await files.write('deep/b', 'not seen')
  await files.rename('a', 'c')
  await files.remove('c')
  pool.guestOf(sandbox).files.set('/project/program', Buffer.from('x'))
  const events: FileEvent[] = [(await first).value]
  while (events.at(-1)?.path !== '/project/program') events.push((await watch.next()).value)
  expect(events).toEqual([
    { type: 'create', path: '/project/a' },
    { type: 'write', path: '/project/a' },
    { type: 'create', path: '/project/deep' },
    { type: 'rename', path: '/project/c', from: '/project/a' },
    { type: 'remove', path: '/project/c' },
    { type: 'create', path: '/project/program' },
  ])
  await watch.return?.()
  expect(await watch.next()).toEqual({ done: true, value: undefined })
})

test('a recursive watch sees the whole tree, and ends with what it watches', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  await sandbox.files.mkdir('/w/d')
  const seen: string[] = []
  const watching = (async () => {
    for await (const { type, path } of sandbox.files.watch('/w', { recursive: true })) seen.push(`${type} ${path}`)
  })()
  await sandbox.files.list('/w')
  await sandbox.files.write('/w/d/x', '')
  await sandbox.files.remove('/w', { recursive: true })
  await watching
  expect(seen).toEqual(['create /w/d/x', 'remove /w/d/x', 'remove /w/d', 'remove /w'])
})

test('leaving the loop ends the watch; its signal ends it with its reason', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  // More than there are places for watches: each has to be given back.
  for (let round = 0; round < 40; round++) {
    const timer = setInterval(() => pool.guestOf(sandbox).files.set('/tmp/a', Buffer.alloc(1)), 1)
    for await (const { path } of sandbox.files.watch('/tmp')) {
      expect(path).toBe('/tmp/a')
      break
    }
    clearInterval(timer)
  }
  const giveUp = new AbortController()
  const watch = sandbox.files.watch('/tmp', { signal: giveUp.signal })[Symbol.asyncIterator]()
  const waiting = watch.next()
  await sandbox.files.list('/tmp')
  giveUp.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  expect((await watch.next()).done).toBe(true)
  await expect(sandbox.files.watch('/tmp', { signal: giveUp.signal })[Symbol.asyncIterator]().next()).rejects.toThrow('enough')
})

test('`return` ends a `next` that waits', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const watch = sandbox.files.watch('/tmp')[Symbol.asyncIterator]()
  const waiting = watch.next()
  await sandbox.files.list('/tmp')
  await watch.return?.()
  expect(await waiting).toEqual({ done: true, value: undefined })
})

test('a reader that does not look hears that changes were lost', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const watch = sandbox.files.watch('/tmp')[Symbol.asyncIterator]()
  const first = watch.next()
  await sandbox.files.list('/tmp')
  const { files } = pool.guestOf(sandbox)
  const change = (): void => void files.set('/tmp/a', Buffer.alloc(1))
  for (let index = 0; index < 30_000; index++) change()
  expect((await first).value).toEqual({ type: 'create', path: '/tmp/a' })
  let told = 1
  for (let event = (await watch.next()).value; event.type !== 'overflow'; event = (await watch.next()).value) told++
  expect(told).toBeGreaterThan(1_000)
  expect(told).toBeLessThan(30_000)
  // And on it goes.
  change()
  expect((await watch.next()).value).toEqual({ type: 'write', path: '/tmp/a' })
  await watch.return?.()
})

test('a guest that resets a watch is a FileError, one that says something else is not believed', async () => {
  using reset = await hostileGuest((_, stream) => {
    stream.write(encodeMessage({ type: 'Done' }))
    setTimeout(() => stream.reset(), 20)
  })
  await expect(reset.files.watch('/')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'FILE', errno: 'EIO' })
  using other = await hostileGuest((_, stream) => {
    stream.write(encodeMessage({ type: 'Done' }))
    stream.write(encodeMessage({ type: 'Written', sizeBytes: 1 }))
  })
  await expect(other.files.watch('/')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'PROTOCOL' })
  expect(await other.ended).toMatchObject({ code: 'PROTOCOL' })
})
