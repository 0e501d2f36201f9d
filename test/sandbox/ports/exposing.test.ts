import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { finished } from 'node:stream/promises'
import { expect, test } from 'vitest'
import type { FakeProgram } from '../../../src/testing/index.ts'
import { dial, fate, read } from '../../support/clients.ts'
import { flooding, listening, poolWith, serving } from './servers.ts'

/** Node's own HTTP server over the guest's connections. */
function http(): FakeProgram {
  const server = createHttpServer((request, response) => {
    if (request.url === '/echo') request.pipe(response)
    else response.end(`${request.method} ${request.url}`)
  })
  server.on('upgrade', (_, socket: Duplex) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.pipe(socket)
  })
  return serving((connection) => void server.emit('connection', connection))
}

test('HTTP passes, also kept alive and streamed', async () => {
  await using pool = poolWith({ httpd: http() })
  await using sandbox = await pool.createSandbox()
  await listening(sandbox, 'httpd')
  await using exposed = await sandbox.ports.expose(80)
  expect(exposed).toMatchObject({ port: 80, url: `http://127.0.0.1:${exposed.hostPort}` })
  const client = await dial(exposed.hostPort)
  for (const path of ['/one', '/two']) {
    client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    const [answer] = await once(client, 'data')
    expect(String(answer)).toMatch(new RegExp(`^HTTP/1.1 200 OK[^]*GET ${path}$`))
  }
  client.destroy()
  const body = 'x'.repeat(500_000)
  const response = await fetch(`${exposed.url}/echo`, { method: 'POST', body, headers: { connection: 'close' } })
  expect((await response.text()).length).toBe(body.length)
})

test('a connection that is upgraded is one of raw bytes both ways', async () => {
  await using pool = poolWith({ httpd: http() })
  await using sandbox = await pool.createSandbox()
  await listening(sandbox, 'httpd')
  await using exposed = await sandbox.ports.expose(80)
  const client = await dial(exposed.hostPort)
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
  expect(String((await once(client, 'data'))[0])).toMatch(/^HTTP\/1.1 101 /)
  for (const word of ['ping', 'pong']) {
    client.write(word)
    expect(String((await once(client, 'data'))[0])).toBe(word)
  }
  client.destroy()
})

test('a direction ends by itself, whichever is first', async () => {
  const last = serving((connection) => {
    let heard = ''
    connection.on('data', (chunk) => {
      heard += String(chunk)
    })
    connection.on('end', () => connection.end(`heard ${heard}`))
  })
  const first = serving((connection) => {
    connection.end('that is all')
    connection.resume()
  })
  await using pool = poolWith({ first, last })
  await using sandbox = await pool.createSandbox()
  await listening(sandbox, 'last', 80)
  await listening(sandbox, 'first', 81)
  await using one = await sandbox.ports.expose(80)
  await using two = await sandbox.ports.expose(81)
  const patient = await dial(one.hostPort)
  patient.end('everything')
  expect(await read(patient)).toBe('heard everything')
  const late = await dial(two.hostPort)
  expect(await read(late)).toBe('that is all')
  late.end('anyway')
  await finished(late)
  await expect.poll(() => pool.guestOf(sandbox).connections).toBe(0)
})

test('where nothing listens, a connection is reset, and the next one is tried anew', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  await using exposed = await sandbox.ports.expose(80)
  expect(await fate(await dial(exposed.hostPort))).toBe('ECONNRESET')
  await listening(sandbox)
  const client = await dial(exposed.hostPort)
  client.end('now')
  expect(await read(client)).toBe('now')
})

test('a reset on one side is a reset on the other', async () => {
  const connections: Duplex[] = []
  const held = serving((connection) => void connections.push(connection.on('error', () => {})))
  await using pool = poolWith({ held })
  await using sandbox = await pool.createSandbox()
  await listening(sandbox, 'held')
  await using exposed = await sandbox.ports.expose(80)
  const one = await dial(exposed.hostPort)
  await expect.poll(() => connections.length).toBe(1)
  connections[0]?.destroy()
  expect(await fate(one)).toBe('ECONNRESET')
  const other = await dial(exposed.hostPort)
  await expect.poll(() => connections.length).toBe(2)
  other.resetAndDestroy()
  await expect.poll(() => connections[1]?.destroyed).toBe(true)
})

test('what a server said to its end is delivered, also when it does not hear its client out', async () => {
  const rude = serving((connection) => {
    connection.once('data', () => connection.end('too large', () => setTimeout(() => connection.destroy(), 20)))
  })
  await using pool = poolWith({ rude })
  await using sandbox = await pool.createSandbox()
  await listening(sandbox, 'rude')
  await using exposed = await sandbox.ports.expose(80)
  const client = await dial(exposed.hostPort)
  client.write('a first piece')
  expect(await read(client)).toBe('too large')
  client.destroy()
})

test('a client that does not read holds back its own server, not the host and no other client', async () => {
  const flood = flooding(65_536)
  await using pool = poolWith({ flood: flood.program })
  await using sandbox = await pool.createSandbox()
  await listening(sandbox, 'flood', 80)
  await listening(sandbox, 'echod', 81)
  await using exposed = await sandbox.ports.expose(80)
  await using other = await sandbox.ports.expose(81)
  const unread = await dial(exposed.hostPort)
  const brisk = await dial(other.hostPort)
  const bytes = 2 ** 22
  brisk.end(Buffer.alloc(bytes))
  expect((await read(brisk)).length).toBe(bytes)
  const before = flood.takenBytes()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(flood.takenBytes()).toBe(before)
  // The windows here, and what the kernel holds of a connection on this host.
  expect(flood.takenBytes()).toBeLessThan(2 ** 24)
  unread.destroy()
})

test('200 clients at once are all served, 128 at a time', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  await listening(sandbox)
  await using exposed = await sandbox.ports.expose(80)
  const clients = await Promise.all(Array.from({ length: 200 }, () => dial(exposed.hostPort)))
  await expect.poll(() => pool.guestOf(sandbox).connections).toBe(128)
  const answers = clients.map(async (client, index) => {
    client.end(`client ${index}`)
    return read(client)
  })
  expect(await Promise.all(answers)).toEqual(clients.map((_, index) => `client ${index}`))
})

test('a client that gives up in line costs nobody a place', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  await listening(sandbox)
  await using exposed = await sandbox.ports.expose(80)
  const open = await Promise.all(Array.from({ length: 128 }, () => dial(exposed.hostPort)))
  await expect.poll(() => pool.guestOf(sandbox).connections).toBe(128)
  const waiting = await dial(exposed.hostPort)
  waiting.resetAndDestroy()
  open[0]?.end()
  await expect.poll(() => pool.guestOf(sandbox).connections).toBe(127)
  const next = await dial(exposed.hostPort)
  next.end('my turn')
  expect(await read(next)).toBe('my turn')
  for (const one of open) one.destroy()
})

test('disposed of, it listens no longer and its connections end', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  await listening(sandbox)
  const exposed = await sandbox.ports.expose(80)
  const client = await dial(exposed.hostPort)
  await expect.poll(() => pool.guestOf(sandbox).connections).toBe(1)
  await Promise.all([exposed[Symbol.asyncDispose](), exposed[Symbol.asyncDispose]()])
  expect(await fate(client)).toBe('ECONNRESET')
  await expect(dial(exposed.hostPort)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await expect.poll(() => pool.guestOf(sandbox).connections).toBe(0)
  // The guest's port is as it was.
  await using again = await sandbox.ports.expose(80, { hostPort: exposed.hostPort })
  expect(again.hostPort).toBe(exposed.hostPort)
})

test('however a sandbox ends, nothing of it listens any more', async () => {
  await using pool = poolWith()
  for (const end of ['destroy', 'crash', 'lifetime'] as const) {
    const sandbox = await pool.createSandbox()
    await listening(sandbox)
    const [one, two] = [await sandbox.ports.expose(80), await sandbox.ports.expose(81)]
    const client = await dial(one.hostPort)
    const ended = fate(client)
    if (end === 'destroy') await sandbox.destroy()
    else if (end === 'crash') pool.guestOf(sandbox).crash()
    else sandbox.extendTimeout(0)
    expect(await ended).toBe('ECONNRESET')
    for (const { hostPort } of [one, two])
      await expect.poll(() => dial(hostPort).catch((error) => error.code)).toBe('ECONNREFUSED')
  }
})

test('a sandbox that ends while it is being exposed leaves nothing that listens', async () => {
  await using pool = poolWith()
  const sandbox = await pool.createSandbox()
  const exposing = sandbox.ports.expose(80, { host: 'localhost' })
  const failure = exposing.catch((error: unknown) => error)
  await sandbox.destroy()
  expect(await failure).toMatchObject({ code: 'SANDBOX_GONE' })
})

test('a host port that cannot be had says what to try', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  await expect(sandbox.ports.expose(80, { hostPort: port })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    retryable: true,
    message: expect.stringMatching(/^Listening on 127.0.0.1:\d+ failed \(EADDRINUSE\). Another program listens there/),
  })
  taken.close()
  await expect(sandbox.ports.expose(80, { host: '203.0.113.1' })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('`host` is no address of this machine'),
  })
  for (const options of [{ hostPort: 70_000 }, { host: '' }, { port: 80 }])
    await expect(sandbox.ports.expose(80, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('where it listens is said by its address', async () => {
  await using pool = poolWith()
  await using sandbox = await pool.createSandbox()
  await using everywhere = await sandbox.ports.expose(80, { host: '0.0.0.0' })
  expect(everywhere.url).toBe(`http://127.0.0.1:${everywhere.hostPort}`)
  const six = connect({ host: '::1', port: 1 })
  const [{ code }] = await once(six, 'error').catch((error) => [error])
  if (code === 'EADDRNOTAVAIL') return // this host has no IPv6
  await using one = await sandbox.ports.expose(80, { host: '::1' })
  expect(one.url).toBe(`http://[::1]:${one.hostPort}`)
})

test('bytes keep a sandbox that would be idle; an open connection alone does not', async () => {
  await using pool = poolWith()
  const sandbox = await pool.createSandbox({ idleTimeoutMs: 300 })
  pool.guestOf(sandbox).listen(80, (connection) => void connection.on('error', () => {}).pipe(connection))
  const exposed = await sandbox.ports.expose(80)
  const client = await dial(exposed.hostPort)
  for (let turn = 0; turn < 10; turn++) {
    client.write('.')
    await once(client, 'data')
    await new Promise((resolve) => setTimeout(resolve, 60))
  }
  expect(sandbox.state).toBe('running')
  expect(await fate(client)).toBe('ECONNRESET')
  await expect(sandbox.exec('true')).rejects.toMatchObject({ code: 'SANDBOX_GONE', reason: 'idle' })
})
