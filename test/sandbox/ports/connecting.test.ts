import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, createServer, get } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { finished } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { ConnectError, SandboxGoneError } from '../../../src/index.ts'
import { read } from '../../support/clients.ts'
import { flooding, listening, poolWith, serving } from './servers.ts'

test('bytes pass both ways, and each direction ends by itself', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  await listening(sandbox)
  const connection = await sandbox.ports.connect(80)
  connection.write('hello ')
  connection.end('guest')
  expect(await read(connection)).toBe('hello guest')
  await expect.poll(() => connection.destroyed).toBe(true)
  expect(connection.errored).toBeNull()
  expect(pool.guestOf(sandbox).connections).toBe(0)
})

test('a server that ends first can still be written to', async () => {
  const heard: string[] = []
  const first = serving((connection) => {
    connection.end('greeting')
    connection.on('data', (chunk) => void heard.push(String(chunk)))
  })
  await using pool = poolWith({ first })
  await using sandbox = await pool.createSandbox()
  await listening(sandbox, 'first')
  const connection = await sandbox.ports.connect(80)
  expect(await read(connection)).toBe('greeting')
  expect(connection.writable).toBe(true)
  connection.end('late words')
  await finished(connection)
  await expect.poll(() => heard.join('')).toBe('late words')
})

test('what comes before anybody reads is not lost', async () => {
  const early = serving((connection) => connection.end('x'.repeat(200_000)))
  await using pool = poolWith({ early })
  await using sandbox = await pool.createSandbox()
  await listening(sandbox, 'early')
  const connection = await sandbox.ports.connect(80)
  connection.end()
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect((await read(connection)).length).toBe(200_000)
})

test('a megabyte comes back as it was', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  await listening(sandbox)
  const connection = await sandbox.ports.connect(80)
  const sent = randomBytes(2 ** 20)
  connection.end(sent)
  const got: Buffer[] = []
  for await (const chunk of connection) got.push(chunk as Buffer)
  expect(Buffer.concat(got).equals(sent)).toBe(true)
})

test('nothing listens: CONNECT with ECONNREFUSED, at once', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  const failure = await sandbox.ports.connect(81).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(ConnectError)
  expect(failure).toMatchObject({ code: 'CONNECT', errno: 'ECONNREFUSED', port: 81, retryable: true, sandboxId: sandbox.id })
  expect((failure as Error).message).toBe(
    'Nothing listens on port 81 of the guest (ECONNREFUSED). Wait for it with `ports.waitFor`.',
  )
})

test('a guest that breaks the connection off: ECONNRESET, also where nobody listens for errors', async () => {
  const connections: Duplex[] = []
  const held = serving((connection) => void connections.push(connection))
  await using pool = poolWith({ held })
  await using sandbox = await pool.createSandbox()
  await listening(sandbox, 'held')
  const [unheard, heard] = [await sandbox.ports.connect(80), await sandbox.ports.connect(80)]
  for (const connection of connections) connection.destroy()
  const [failure] = await once(heard, 'error').catch((error: unknown) => [error])
  expect(failure).toBeInstanceOf(ConnectError)
  expect(heard.errored).toMatchObject({ code: 'CONNECT', errno: 'ECONNRESET', port: 80, sandboxId: sandbox.id })
  await expect.poll(() => unheard.destroyed).toBe(true)
  expect((await sandbox.exec('echo fine')).stdout).toBe('fine\n')
})

test('a write that the guest never took fails with the connection', async () => {
  const connections: Duplex[] = []
  const deaf = serving((connection) => void connections.push(connection.pause()))
  await using pool = poolWith({ deaf })
  await using sandbox = await pool.createSandbox()
  await listening(sandbox, 'deaf')
  const connection = await sandbox.ports.connect(80)
  const writing = new Promise((resolve) => connection.write(Buffer.alloc(1_000_000), resolve))
  await expect.poll(() => connections.length).toBe(1)
  connections[0]?.destroy()
  expect(await writing).toMatchObject({ code: 'CONNECT', errno: 'ECONNRESET' })
})

test('destroying it resets it in the guest', async () => {
  const ends: string[] = []
  const held = serving((connection) => {
    connection.resume().on('end', () => void ends.push('end'))
    connection.on('close', () => void ends.push('close'))
  })
  await using pool = poolWith({ held })
  await using sandbox = await pool.createSandbox()
  await listening(sandbox, 'held')
  const connection = await sandbox.ports.connect(80)
  connection.write('and then nothing')
  connection.destroy()
  await expect.poll(() => ends).toEqual(['close'])
})

test('the end of the sandbox ends its connections with SANDBOX_GONE', async () => {
  await using pool = poolWith()
  const sandbox = await pool.createSandbox()
  await listening(sandbox)
  const connection = await sandbox.ports.connect(80)
  pool.guestOf(sandbox).crash()
  await expect.poll(() => connection.destroyed).toBe(true)
  expect(connection.errored).toBeInstanceOf(SandboxGoneError)
  expect(connection.errored).toMatchObject({ reason: 'crash', sandboxId: sandbox.id })
  for (const call of [sandbox.ports.connect(80), sandbox.ports.waitFor(80), sandbox.ports.expose(80)])
    await expect(call).rejects.toMatchObject({ code: 'SANDBOX_GONE' })
})

test('an abort gives it up, in line or while the guest does not answer', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  await listening(sandbox)
  const over = new AbortController()
  pool.guestOf(sandbox).hang()
  const calls = [
    sandbox.ports.connect(80, { signal: over.signal }),
    sandbox.ports.waitFor(81, { signal: over.signal }),
    sandbox.ports.connect(80, { timeoutMs: 20 }),
    sandbox.ports.waitFor(81, { timeoutMs: 20 }),
  ].map((call) => call.catch((error: unknown) => error))
  setTimeout(() => over.abort(new Error('enough')), 5)
  const [connecting, waiting, ...late] = await Promise.all(calls)
  expect([connecting, waiting]).toEqual([over.signal.reason, over.signal.reason])
  for (const error of late) expect(error).toMatchObject({ code: 'TIMEOUT', sandboxId: sandbox.id })
  pool.guestOf(sandbox).resume()
  await expect.poll(() => pool.guestOf(sandbox).connections).toBe(0)
  await expect(sandbox.ports.connect(80, { signal: over.signal })).rejects.toBe(over.signal.reason)
})

test('the signal is for the making only', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  await listening(sandbox)
  const over = new AbortController()
  const connection = await sandbox.ports.connect(80, { signal: over.signal, timeoutMs: 5_000 })
  over.abort()
  connection.end('still here')
  expect(await read(connection)).toBe('still here')
})

test('128 connections are open at once, the next one waits for a place', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  await listening(sandbox)
  const open = await Promise.all(Array.from({ length: 128 }, () => sandbox.ports.connect(80)))
  const next = sandbox.ports.connect(80)
  let settled = false
  void next.then(() => {
    settled = true
  })
  // A command, a file and a question have places of their own.
  expect((await sandbox.exec('echo fine')).stdout).toBe('fine\n')
  await sandbox.usage()
  expect(settled).toBe(false)
  open[0]?.destroy()
  const connection = await next
  connection.end('at last')
  expect(await read(connection)).toBe('at last')
  for (const one of open) one.destroy()
})

test('a connection that nobody reads holds its own server back, and no other connection', async () => {
  const flood = flooding(16_384)
  await using pool = poolWith({ flood: flood.program })
  await using sandbox = await pool.createSandbox()
  await listening(sandbox, 'flood', 80)
  await listening(sandbox, 'echod', 81)
  const unread = await sandbox.ports.connect(80)
  const other = await sandbox.ports.connect(81)
  const sent = Buffer.alloc(4 * 2 ** 20)
  other.end(sent)
  let got = 0
  for await (const chunk of other) got += (chunk as Buffer).length
  expect(got).toBe(sent.length)
  // Two windows, and what waits on both sides of them.
  expect(flood.takenBytes()).toBeLessThan(2 ** 20)
  unread.destroy()
})

test('waitFor resolves when something listens, now or later', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  let there = false
  const waiting = sandbox.ports.waitFor(80).then(() => {
    there = true
  })
  await expect(sandbox.ports.waitFor(80, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  expect(there).toBe(false)
  await sandbox.spawn(['echod', '80'])
  await waiting
  await sandbox.ports.waitFor(80)
  expect(pool.guestOf(sandbox).connections).toBe(0)
})

test('an HTTP agent takes it for a socket, also one that keeps it for the next request', async () => {
  let connections = 0
  const server = createServer((request, response) => response.end(`${request.method} ${request.url}`))
  const httpd = serving((connection) => {
    connections++
    server.emit('connection', connection)
  })
  await using pool = poolWith({ httpd })
  await using sandbox = await pool.createSandbox()
  await listening(sandbox, 'httpd')
  const agent = new Agent({ keepAlive: true })
  agent.createConnection = (_, done) => {
    sandbox.ports.connect(80).then(
      (stream) => done?.(null, stream),
      (error) => done?.(error, undefined as unknown as Duplex),
    )
    return undefined
  }
  for (const path of ['/one', '/two']) {
    const request = get({ host: 'sandbox', path, agent, timeout: 10_000 })
    const [response] = await once(request, 'response')
    expect(await read(response)).toBe(`GET ${path}`)
    await expect.poll(() => Object.keys(agent.freeSockets).length).toBe(1)
  }
  expect(connections).toBe(1)
  agent.destroy()
})

test('a timeout of a socket is announced when nothing has passed for that long', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  await listening(sandbox)
  const connection = (await sandbox.ports.connect(80)) as unknown as Socket
  let timeouts = 0
  connection.setTimeout(80, () => void timeouts++)
  expect(connection.timeout).toBe(80)
  await expect.poll(() => timeouts).toBe(1)
  expect(connection.destroyed).toBe(false)
  connection.setTimeout(0)
  expect(connection.setNoDelay().setKeepAlive().ref().unref().timeout).toBeUndefined()
  connection.setTimeout(60_000)
  connection.destroy()
})

const wrong: [string, unknown, object?][] = [
  ['no number', '80'],
  ['0', 0],
  ['more than there are', 65_536],
  ['a fraction', 80.5],
  ['an option that is not known', 80, { timeout: 5 }],
  ['a signal that is none', 80, { signal: {} }],
]
test.each(wrong)('%s is refused', async (_, port, options = {}) => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  for (const call of ['connect', 'waitFor', 'expose'] as const)
    await expect(sandbox.ports[call](port as number, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
