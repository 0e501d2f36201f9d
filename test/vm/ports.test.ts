/** What listens in a real microVM is reached from the host, and by nobody else. */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Sandbox } from '../../src/index.ts'
import { poolOfThisFile, sandboxOfThisFile } from './vm.ts'

const pool = poolOfThisFile()
const sandbox = sandboxOfThisFile(pool, {
  files: {
    'www/index.html': '<h1>hello from the guest</h1>\n',
    'www/cgi-bin/echo': '#!/bin/sh\nprintf "content-type: text/plain\\r\\n\\r\\n"\necho "$REQUEST_METHOD $QUERY_STRING"\ncat\n',
    'bin/upgrade': [
      '#!/bin/sh',
      'while read -r line; do [ "${#line}" -le 1 ] && break; done',
      'printf "HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n"',
      'exec cat',
    ].join('\n'),
  },
})

/** Starts a server that goes on when the command has ended. */
async function serve(guest: Sandbox, command: string, port: number): Promise<void> {
  await guest.exec(`${command} >/dev/null 2>&1 </dev/null &`, { check: true })
  await guest.ports.waitFor(port, { timeoutMs: 30_000 })
}

async function dial(hostPort: number): Promise<Socket> {
  const socket = connect({ port: hostPort, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function read(stream: AsyncIterable<unknown>): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  return text
}

beforeAll(async () => {
  await sandbox().exec('chmod +x www/cgi-bin/echo bin/upgrade', { check: true })
  await serve(sandbox(), 'httpd -f -p 127.0.0.1:8080 -h www', 8080)
  // A server for each connection, as inetd has it: what comes goes back.
  await serve(sandbox(), 'nc -lk -p 7 -e cat', 7)
  await serve(sandbox(), 'nc -lk -p 8081 -e bin/upgrade', 8081)
})

describe('an exposed port', () => {
  it('serves HTTP to fetch', async () => {
    await using exposed = await sandbox().ports.expose(8080)
    const page = await fetch(`${exposed.url}/index.html`)
    expect(page.status).toBe(200)
    expect(await page.text()).toBe('<h1>hello from the guest</h1>\n')
    const posted = await fetch(`${exposed.url}/cgi-bin/echo?a=1`, { method: 'POST', body: 'the body' })
    expect(await posted.text()).toBe('POST a=1\nthe body')
    expect((await fetch(`${exposed.url}/nothing`)).status).toBe(404)
  })

  it('passes bytes both ways after an upgrade, as a WebSocket does', async () => {
    await using exposed = await sandbox().ports.expose(8081)
    const client = await dial(exposed.hostPort)
    client.write('GET /chat HTTP/1.1\r\nHost: guest\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    expect(String((await once(client, 'data'))[0])).toMatch(/^HTTP\/1.1 101 /)
    // Frames of RFC 6455: text, masked as a client's are; bytes that are no text.
    for (const frame of [
      Buffer.from('818537fa213d7f9f4d5158', 'hex'),
      Buffer.from([0x82, 0x84, 0, 1, 2, 3, 0xff, 0, 0xfe, 0x80]),
    ]) {
      client.write(frame)
      const [echoed] = await once(client, 'data')
      expect((echoed as Buffer).equals(frame)).toBe(true)
    }
    client.end()
    expect(await read(client)).toBe('')
  })

  it('serves 100 connections at once', async () => {
    await using exposed = await sandbox().ports.expose(7)
    const answers = Array.from({ length: 100 }, async (_, index) => {
      const client = await dial(exposed.hostPort)
      client.end(`client ${index}`)
      return read(client)
    })
    expect(await Promise.all(answers)).toEqual(answers.map((_, index) => `client ${index}`))
  })

  it('resets a connection where nothing listens, and listens on', async () => {
    await using exposed = await sandbox().ports.expose(9_999)
    for (let turn = 0; turn < 3; turn++) {
      const client = await dial(exposed.hostPort)
      const [hadError] = await once(client.resume(), 'close')
      expect(hadError).toBe(true)
    }
  })

  it('carries megabytes as they are', async () => {
    await using exposed = await sandbox().ports.expose(7)
    const client = await dial(exposed.hostPort)
    const sent = Buffer.alloc(4 * 2 ** 20, 'the quick brown fox ')
    client.end(sent)
    const got: Buffer[] = []
    for await (const chunk of client) got.push(chunk as Buffer)
    expect(Buffer.concat(got).equals(sent)).toBe(true)
  })

  it('is gone with its sandbox', async () => {
    const own = await pool().createSandbox()
    await serve(own, 'nc -lk -p 7 -e cat', 7)
    const { hostPort } = await own.ports.expose(7)
    const client = await dial(hostPort)
    client.write('.')
    await once(client, 'data')
    await own.destroy()
    await once(client, 'close')
    await expect.poll(() => dial(hostPort).catch((error) => error.code)).toBe('ECONNREFUSED')
  })
})

describe('a connection', () => {
  it('is a stream of bytes whose ends are the server’s', async () => {
    const connection = await sandbox().ports.connect(7)
    connection.end('over there')
    expect(await read(connection)).toBe('over there')
  })

  it('is refused where nothing listens', async () => {
    await expect(sandbox().ports.connect(9_999)).rejects.toMatchObject({ code: 'CONNECT', errno: 'ECONNREFUSED', port: 9_999 })
  })

  it('fails with ECONNRESET when its server is killed in the middle', async () => {
    await using own = await pool().createSandbox()
    await serve(own, 'nc -lk -p 7 -e sleep 1000', 7)
    const connection = await own.ports.connect(7)
    connection.write('unread')
    await expect.poll(async () => (await own.exec('pidof sleep')).ok).toBe(true)
    await own.exec('killall -9 sleep nc')
    const [failure] = await once(connection.resume(), 'error').catch((error) => [error])
    expect(failure).toMatchObject({ code: 'CONNECT', errno: 'ECONNRESET' })
  })

  it('reaches a server on ::1 alone', async () => {
    await serve(sandbox(), 'nc -lk -s ::1 -p 6 -e echo six', 6)
    expect(await read(await sandbox().ports.connect(6))).toBe('six\n')
  })
})

describe('waiting for a port', () => {
  it('ends when something listens, and makes no connection', async () => {
    await using own = await pool().createSandbox()
    await expect(own.ports.waitFor(5_000, { timeoutMs: 200 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    const waiting = own.ports.waitFor(5_000, { timeoutMs: 30_000 })
    // The first connection ends this one: it is still there for whoever comes after the wait.
    await own.exec('(sleep 0.3; nc -l -p 5000 -e echo first) >/dev/null 2>&1 </dev/null &')
    await waiting
    expect(await read(await own.ports.connect(5_000))).toBe('first\n')
  })
})
