import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createFakePool } from '../../../src/testing/index.ts'
import { Scratch } from '../../support/scratch.ts'

test('when the sandbox ends, everything about its files ends with SANDBOX_GONE, and leaves nothing', async () => {
  using scratch = new Scratch()
  scratch.file('tree/a', Buffer.alloc(3_000_000))
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox()
  const { files } = sandbox
  await files.write('/big', Buffer.alloc(3_000_000))
  const reader = (await files.read('/big', { format: 'stream' })).getReader()
  await reader.read()
  const watch = files.watch('/')[Symbol.asyncIterator]()
  const waiting = watch.next()
  await files.write('/begun', '')
  await waiting
  let released = false
  const endless = async function* () {
    try {
      for (;;) {
        yield Buffer.alloc(1_000)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    } finally {
      released = true
    }
  }
  let cancelled = false
  const asleep = new ReadableStream<Uint8Array>({
    cancel: () => {
      cancelled = true
    },
  })
  const running = [
    files.write('/endless', endless()),
    files.write('/asleep', asleep),
    watch.next(),
    (async () => {
      for (;;) if ((await reader.read()).done) throw new Error('it ended in order')
    })(),
  ].map((call) => call.catch((error) => error))
  await files.stat('/')
  expect(asleep.locked).toBe(true)
  pool.guestOf(sandbox).hang()
  running.push(
    files.upload(scratch.join('tree'), '/tree').catch((error) => error),
    files.download('/big', scratch.join('out')).catch((error) => error),
  )
  await sandbox.destroy()
  for (const answer of await Promise.all(running)) expect(answer).toMatchObject({ code: 'SANDBOX_GONE', reason: 'requested' })
  expect(readdirSync(scratch.hostPath)).toEqual(['tree'])
  await expect.poll(() => released && cancelled).toBe(true)
  await expect(files.read('/big')).rejects.toMatchObject({ code: 'SANDBOX_GONE' })
})

test('a call about files is activity, an open watch is none', async () => {
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox({ idleTimeoutMs: 300 })
  const watch = sandbox.files.watch('/')[Symbol.asyncIterator]()
  const waiting = watch.next().catch((error) => error)
  for (let round = 0; round < 6; round++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    await sandbox.files.exists('/a')
  }
  expect(sandbox.state).toBe('running')
  expect(await waiting).toMatchObject({ code: 'SANDBOX_GONE', reason: 'idle' })
})
