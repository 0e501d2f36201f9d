/** What listens in a real microVM is reached from the host, and by nobody else. */

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Sandbox } from '../../src/index.ts'
import { dial, fate, read } from '../support/clients.ts'
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

beforeAll(async () => {
  await sandbox().exec('chmod +x www/cgi-bin/echo bin/upgrade', { check: true })
  await serve(sandbox(), 'httpd -f -p 127.0.0.1:8080 -h www', 8080)
  // A server for each connection, as inetd has it: what comes goes back.
  await serve(sandbox(), 'nc -ll -p 7000 -e cat', 7000)
  await serve(sandbox(), 'nc -ll -p 8081 -e bin/upgrade', 8081)
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
    await using exposed = await sandbox().ports.expose(7000)
    const clients: Socket[] = []
    // Opened one after the other, for this server lets no more than two stand in its kernel's line.
    for (let index = 0; index < 100; index++) {
      const client = await dial(exposed.hostPort)
      client.write(`client ${index}: `)
      expect(String((await once(client, 'data'))[0])).toBe(`client ${index}: `)
      clients.push(client)
    }
    const answers = clients.map((client, index) => {
      client.end(`all ${index}`)
      return read(client)
    })
    expect(await Promise.all(answers)).toEqual(clients.map((_, index) => `all ${index}`))
  })

  it('resets a connection where nothing listens, and listens on', async () => {
    await using exposed = await sandbox().ports.expose(9_999)
    for (let turn = 0; turn < 3; turn++) {
      const client = await dial(exposed.hostPort)
      expect(await fate(client)).toBe('ECONNRESET')
    }
  })

  it('carries megabytes as they are', async () => {
    await using exposed = await sandbox().ports.expose(7000)
    const client = await dial(exposed.hostPort)
    const sent = Buffer.alloc(4 * 2 ** 20, 'the quick brown fox ')
    client.end(sent)
    const got: Buffer[] = []
    for await (const chunk of client) got.push(chunk as Buffer)
    expect(Buffer.concat(got).equals(sent)).toBe(true)
  })

  it('is gone with its sandbox', async () => {
    const own = await pool().createSandbox()
    await serve(own, 'nc -ll -p 7000 -e cat', 7000)
    const { hostPort } = await own.ports.expose(7000)
    const client = await dial(hostPort)
    client.write('.')
    await once(client, 'data')
    const ended = fate(client)
    await own.destroy()
    expect(await ended).toBe('ECONNRESET')
    await expect.poll(() => dial(hostPort).catch((error) => error.code)).toBe('ECONNREFUSED')
  })
})

describe('a connection', () => {
  it('is a stream of bytes whose ends are the server’s', async () => {
    const connection = await sandbox().ports.connect(7000)
    connection.end('over there')
    expect(await read(connection)).toBe('over there')
  })

  it('is refused where nothing listens', async () => {
    await expect(sandbox().ports.connect(9_999)).rejects.toMatchObject({ code: 'CONNECT', errno: 'ECONNREFUSED', port: 9_999 })
  })

  it('fails with ECONNRESET when its server is killed in the middle', async () => {
    await using own = await pool().createSandbox()
    await serve(own, 'nc -ll -p 7000 -e sleep 1000', 7000)
    const connection = await own.ports.connect(7000)
    connection.write('unread')
    await expect.poll(async () => (await own.exec('pidof sleep')).ok).toBe(true)
    await own.exec('killall -9 sleep nc')
    await expect.poll(() => connection.errored).toMatchObject({ code: 'CONNECT', errno: 'ECONNRESET' })
  })

  it('reaches a server on ::1 alone', async () => {
    const { stdout } = await sandbox().exec('cat /proc/net/if_inet6')
    if (stdout === '') return // a guest's kernel need not have IPv6
    await serve(sandbox(), 'httpd -f -p [::1]:6000 -h www', 6_000)
    const connection = await sandbox().ports.connect(6_000)
    connection.end('GET /index.html HTTP/1.0\r\n\r\n')
    expect(await read(connection)).toContain('hello from the guest')
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
