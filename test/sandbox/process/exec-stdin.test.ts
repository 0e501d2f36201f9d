import { expect, test } from 'vitest'
import { createFakePool } from '../../../src/testing/index.ts'

test('4 MiB of stdin through cat come back whole, as bytes, text and pieces', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const text = Array.from({ length: 4 * 65_536 }, (_, line) => `line ${String(line).padStart(10)}`).join('\n')
  const pieces = async function* (): AsyncGenerator<string | Uint8Array> {
    for (let at = 0; at < text.length; at += 100_000) {
      const piece = text.slice(at, at + 100_000)
      yield at % 200_000 === 0 ? piece : Buffer.from(piece)
    }
  }
  for (const stdin of [text, Buffer.from(text), pieces()]) {
    const { stdout, truncated } = await sandbox.exec('cat', { stdin })
    expect(stdout === text).toBe(true)
    expect(truncated).toBe(false)
  }
})

test('without stdin a command reads an empty input', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  expect(await sandbox.exec('cat')).toMatchObject({ exitCode: 0, stdout: '' })
  expect(await sandbox.exec('cat', { stdin: '' })).toMatchObject({ exitCode: 0, stdout: '' })
})

test('an input that fails kills the command and rejects with the error of the input', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const broken = new Error('the disk is gone')
  const stdin = async function* (): AsyncGenerator<string> {
    yield 'some'
    throw broken
  }
  await expect(sandbox.exec('cat; sleep infinity', { stdin: stdin() })).rejects.toBe(broken)
  expect((await sandbox.exec('echo on')).stdout).toBe('on\n')
})

test('an input that never ends is let go when the command ends', async () => {
  await using pool = createFakePool({
    programs: {
      first: async ({ stdin, stdout }) => {
        for await (const chunk of stdin) {
          await stdout.write(chunk)
          break
        }
        return 4
      },
    },
  })
  await using sandbox = await pool.createSandbox()
  let closed = false
  const stdin = async function* (): AsyncGenerator<string> {
    try {
      for (;;) {
        yield 'y\n'
        await new Promise((resolve) => setImmediate(resolve))
      }
    } finally {
      closed = true
    }
  }
  const result = await sandbox.exec(['first'], { stdin: stdin() })
  expect(result.exitCode).toBe(4)
  expect(result.stdout).toMatch(/^y\n/)
  await expect.poll(() => closed).toBe(true)
})

test('an input that says nothing for ever does not hold a command that has ended', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const silent: AsyncIterable<string> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }
  expect(await sandbox.exec('echo done', { stdin: silent })).toMatchObject({ exitCode: 0, stdout: 'done\n' })
})

test('a command that closes its input early still ends in its own time', async () => {
  await using pool = createFakePool({
    programs: {
      deaf: async ({ stdin, stdout }) => {
        for await (const _ of stdin) break
        await stdout.write('not listening')
        return 0
      },
    },
  })
  await using sandbox = await pool.createSandbox()
  const stdin = Buffer.alloc(8 * 1_048_576)
  expect(await sandbox.exec(['deaf'], { stdin })).toMatchObject({ exitCode: 0, stdout: 'not listening' })
})

test('an input that gives nothing and never waits does not keep a command from its time limit', async () => {
  let pieces = 0
  let closed = false
  async function* stdin(): AsyncGenerator<string> {
    try {
      for (; pieces < 1_000_000; pieces++) yield ''
    } finally {
      closed = true
    }
  }
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const result = await sandbox.exec('sleep infinity', { stdin: stdin(), timeoutMs: 50 })
  expect(result.timedOut).toBe(true)
  await expect.poll(() => closed).toBe(true)
  expect(pieces).toBeLessThan(1_000_000)
})
