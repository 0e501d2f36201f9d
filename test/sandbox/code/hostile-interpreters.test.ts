import type { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { ConnectError, SandboxGoneError } from '../../../src/index.ts'
import { createFakePool } from '../../../src/testing/index.ts'
import { end, frame, poolAnsweredBy, requestOf } from './answering.ts'

/** Answers every request with the same bytes. */
const always =
  (...bytes: Buffer[]) =>
  async (connection: Duplex): Promise<void> => {
    await requestOf(connection)
    connection.write(Buffer.concat(bytes))
  }

test('the request says the code, its context, and the variables of sandbox and run apart', async () => {
  const asked: unknown[] = []
  await using pool = poolAnsweredBy(async (connection) => {
    asked.push(await requestOf(connection))
    connection.write(end())
  })
  await using sandbox = await pool.createSandbox({ env: { A: '1', B: undefined }, cwd: '/srv' })
  const result = await sandbox.runCode('x\n', { context: 'mine', env: { C: '3', D: undefined } })
  expect(result).toEqual({
    results: [],
    stdout: '',
    stderr: '',
    timedOut: false,
    truncated: false,
    droppedBytes: 0,
    durationMs: expect.any(Number),
  })
  expect(asked).toEqual([
    { version: 1, context: 'mine', source: 'x\n', cwd: '/srv', baseEnv: { A: '1', B: null }, env: { C: '3', D: null } },
  ])
  await expect.poll(() => pool.guestOf(sandbox).connections).toBe(0)
})

test('a template without interpreters says so, and what to do', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  await expect(sandbox.runCode('1')).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    hint: expect.stringContaining('runtimes.python'),
  })
  await expect(sandbox.runCode('1', { language: 'python' })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
})

test('the first language is the default, and one that is not there is refused with those that are', async () => {
  await using pool = poolAnsweredBy(always(end()))
  await using sandbox = await pool.createSandbox({ template: 'both' })
  await sandbox.runCode('1', { language: 'python' })
  // Nothing listens at the port of node, which is the default.
  await expect(sandbox.runCode('1')).rejects.toThrow(ConnectError)
  await expect(sandbox.runCode('1')).rejects.toMatchObject({ errno: 'ECONNREFUSED', hint: expect.stringContaining('memory') })
  await expect(sandbox.runCode('1', { language: 'ruby' })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    hint: 'It has node, python.',
  })
})

const wrong: [string, unknown, object?][] = [
  ['no text', 5],
  ['a context that is a path', '1', { context: '../x' }],
  ['a context without a name', '1', { context: '' }],
  ['a language that is none', '1', { language: 5 }],
  ['a callback that is none', '1', { onStdout: 'x' }],
  ['a time that is none', '1', { timeoutMs: -1 }],
  ['an option that is not known', '1', { stdin: 'x' }],
  ['a variable without a name', '1', { env: { '': 'x' } }],
]
test.each(wrong)('%s is refused before anything is sent', async (_, source, options) => {
  let connections = 0
  await using pool = poolAnsweredBy(() => void connections++)
  await using sandbox = await pool.createSandbox()
  await expect(sandbox.runCode(source as string, options as object)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(connections).toBe(0)
})

test.each([
  ['garbage', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['a frame that is too long', Buffer.from([1, 255, 255, 255, 255])],
  ['something after the end', Buffer.concat([end(), frame(1, 'x')])],
  ['an end that is none', frame(5, 'null')],
])('%s is PROTOCOL, and ends that call alone', async (_, bytes) => {
  const answers = [always(bytes), always(end())]
  await using pool = poolAnsweredBy((connection) => void answers.shift()?.(connection))
  await using sandbox = await pool.createSandbox()
  await expect(sandbox.runCode('1')).rejects.toMatchObject({ code: 'PROTOCOL', sandboxId: sandbox.id })
  expect(sandbox.state).toBe('running')
  expect((await sandbox.runCode('1')).error).toBeUndefined()
  expect((await sandbox.exec('echo fine')).stdout).toBe('fine\n')
  await expect.poll(() => pool.guestOf(sandbox).connections).toBe(0)
})

test('an answer that stops without an end, and a connection that breaks, are an interpreter that has ended', async () => {
  const ways: ((connection: Duplex) => void)[] = [
    (connection) => void connection.end(frame(1, 'half')),
    (connection) => void connection.write(frame(1, 'half'), () => connection.destroy()),
  ]
  await using pool = poolAnsweredBy(async (connection) => {
    await requestOf(connection)
    ways.shift()?.(connection)
  })
  await using sandbox = await pool.createSandbox()
  const lost = { code: 'CONNECT', errno: 'ECONNRESET', retryable: false }
  await expect(sandbox.runCode('1')).rejects.toMatchObject(lost)
  await expect(sandbox.runCode('1')).rejects.toMatchObject(lost)
})

test('a sandbox that ends meanwhile is gone', async () => {
  await using pool = poolAnsweredBy(() => {})
  const sandbox = await pool.createSandbox()
  const run = sandbox.runCode('1')
  await expect.poll(() => pool.guestOf(sandbox).connections).toBe(1)
  pool.guestOf(sandbox).crash()
  await expect(run).rejects.toThrow(SandboxGoneError)
  await expect(sandbox.runCode('1')).rejects.toThrow(SandboxGoneError)
})

test('an interpreter that floods is kept within the bound, its tail or its head', async () => {
  const flood = Array.from({ length: 200 }, (_, index) => frame(1, String(index % 10).repeat(60_000)))
  await using pool = poolAnsweredBy(always(...flood, end()))
  await using sandbox = await pool.createSandbox()
  const tail = await sandbox.runCode('1', { maxBufferBytes: 1_000 })
  expect(tail).toMatchObject({ stdout: '9'.repeat(1_000), truncated: true, droppedBytes: 200 * 60_000 - 1_000 })
  expect((await sandbox.runCode('1', { maxBufferBytes: 10, retain: 'head' })).stdout).toBe('0000000000')
  expect((await sandbox.runCode('1', { retain: 'none' })).stdout).toBe('')
})

test('an interpreter that does not answer to an interrupt is not waited for', { timeout: 30_000 }, async () => {
  let interrupts = 0
  await using pool = poolAnsweredBy(async (connection) => {
    connection.on('end', () => void interrupts++)
    await requestOf(connection)
    connection.write(frame(1, 'printed'))
    connection.resume()
  })
  await using sandbox = await pool.createSandbox()
  const controller = new AbortController()
  const late = sandbox.runCode('1', { timeoutMs: 100 })
  const aborted = sandbox.runCode('1', { signal: controller.signal, onStdout: () => controller.abort(new Error('enough')) })
  const [timeout, abort] = await Promise.allSettled([late, aborted])
  expect(timeout).toMatchObject({ value: { timedOut: true, stdout: 'printed', error: { name: 'TimeoutError' } } })
  expect(abort).toMatchObject({ reason: expect.objectContaining({ message: 'enough' }) })
  expect(interrupts).toBe(2)
})

test('an error that comes while time is up is told as the timeout, and a context that was lost as lost', async () => {
  const names = ['KeyboardInterrupt', 'ContextLost']
  await using pool = poolAnsweredBy(async (connection) => {
    await requestOf(connection)
    connection.resume().on('end', () => connection.write(end({ name: names.shift() ?? '', message: 'm', traceback: 'there' })))
  })
  await using sandbox = await pool.createSandbox()
  const error = { name: 'TimeoutError', message: 'It ran for longer than 50 ms.', traceback: 'there' }
  expect(await sandbox.runCode('1', { timeoutMs: 50 })).toMatchObject({ timedOut: true, error })
  expect(await sandbox.runCode('1', { timeoutMs: 50 })).toMatchObject({ timedOut: true, error: { name: 'ContextLost' } })
})

test('what a callback throws ends the call, and not the sandbox', async () => {
  await using pool = poolAnsweredBy(always(frame(2, 'x'), end()))
  await using sandbox = await pool.createSandbox()
  const refuse = (): never => {
    throw new RangeError('no')
  }
  await expect(sandbox.runCode('1', { onStderr: refuse })).rejects.toThrow(RangeError)
  expect((await sandbox.runCode('1')).stderr).toBe('x')
})

test('a machine in stock has run its interpreter before it is taken', async () => {
  const requests: unknown[] = []
  await using pool = poolAnsweredBy(
    async (connection) => {
      requests.push(await requestOf(connection))
      connection.end(end())
    },
    { warm: 1 },
  )
  await pool.ready({ template: 'python' })
  expect(requests.slice(0, 3)).toEqual(Array(3).fill({ version: 1, probe: true }))
})

test.each([
  ['a language that is none', { Python: { port: 1 } }],
  ['a port that is none', { python: { port: 0 } }],
  ['something more', { python: { port: 1, host: 'x' } }],
])('a template with %s is refused', async (_, interpreters) => {
  expect(() => createFakePool({ templates: { one: { start: 'x', interpreters } } })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  )
})

test('a template whose interpreters nothing starts is refused', () => {
  expect(() => createFakePool({ templates: { one: { interpreters: { python: { port: 1 } } } } })).toThrow(/leaves them running/)
})
