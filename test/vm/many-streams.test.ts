/** Two hundred streams of all kinds in one sandbox at once: each gets its turn, and who does not read holds up nobody else. */

import type { Duplex } from 'node:stream'
import { expect, it } from 'vitest'
import type { FileEvent, Process, Pty, Sandbox } from '../../src/index.ts'
import { poolOfThisFile, sandboxOfThisFile } from './vm.ts'

const pool = poolOfThisFile({ templates: { base: { resources: { memoryMib: 256 } } } })
const sandbox = sandboxOfThisFile(pool)

/** 36 processes of three streams, 12 terminals of two, 40 connections, 20 files, 10 watches: 202. */
const many = { processes: 36, terminals: 12, connections: 40, files: 20, watches: 10 }

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const payload = (name: string, index: number): Buffer => Buffer.alloc(40_000, `${name} ${index} `)

/** An echo service for any number of connections. */
async function echoServer(target: Sandbox, port: number): Promise<void> {
  const server = await target.spawn(['nc', '-ll', '-p', String(port), '-e', 'cat'])
  server.detach()
  await target.ports.waitFor(port)
}

it('two hundred streams of all kinds work at once', async () => {
  await echoServer(sandbox(), 7000)
  const processes = await Promise.all(range(many.processes).map(() => sandbox().spawn(['cat'], { stdin: 'pipe' })))
  const terminals = await Promise.all(range(many.terminals).map(() => sandbox().pty.create({ command: ['cat'] })))
  const connections: Duplex[] = []
  // One after the other: busybox's nc lets one stand in line, and has the rest of a burst reset.
  for (const index of range(many.connections)) connections.push(await greeted(index))
  await sandbox().files.mkdir('/tmp/many')
  const watches = range(many.watches).map(() => sandbox().files.watch('/tmp/many')[Symbol.asyncIterator]())
  const changes = watches.map((watch) => untilSeen(watch, '/tmp/many/told'))

  const results = await Promise.all([
    ...processes.map((process, index) => echoOf(process, payload('process', index))),
    ...terminals.map((terminal, index) => typed(terminal, `terminal ${index}`)),
    ...connections.map((connection, index) => throughPort(connection, payload('connection', index))),
    ...range(many.files).map((index) => throughFile(`/tmp/file-${index}`, payload('file', index))),
    sandbox().files.write('/tmp/many/told', 'all of you'),
  ])
  expect(results.filter((result) => result !== undefined && result !== true)).toEqual([])
  expect((await Promise.all(changes)).every((type) => type === 'create' || type === 'rename')).toBe(true)
  await Promise.all([
    ...watches.map((watch) => watch.return?.()),
    ...terminals.map((terminal) => terminal[Symbol.asyncDispose]()),
  ])
  for (const connection of connections) connection.destroy()
  expect((await sandbox().exec(['echo', 'still', 'here'])).stdout).toBe('still here\n')
})

it('who does not read holds up nobody else', async () => {
  await using flood = await sandbox().spawn(['yes', 'unread'], { retain: 'none' })
  await flood.stdout.getReader().read()
  await sandbox().files.write('/tmp/unread', Buffer.alloc(4_000_000))
  const file = (await sandbox().files.read('/tmp/unread', { format: 'stream' })).getReader()
  await file.read()
  await echoServer(sandbox(), 7001)
  const connection = await sandbox().ports.connect(7001)
  connection.write(Buffer.alloc(2_000_000))

  const large = payload('large', 1).subarray(0, 9).toString().repeat(200_000)
  await sandbox().files.write('/tmp/large', large)
  expect((await sandbox().exec(['cat', '/tmp/large'])).stdout.length).toBe(large.length)
  expect(await sandbox().files.read('/tmp/large')).toBe(large)
  await using terminal = await sandbox().pty.create({ command: ['cat'] })
  expect(await typed(terminal, 'beside the flood')).toBe(true)

  await file.cancel()
  connection.destroy()
})

async function echoOf(process: Process, data: Buffer): Promise<boolean> {
  const writer = process.stdin.getWriter()
  const sent = writer.write(data).then(() => writer.close())
  const { stdout } = await process.wait()
  await sent
  return stdout === data.toString()
}

/** What is typed comes back from the terminal itself, and again from cat. */
async function typed(terminal: Pty, line: string): Promise<boolean> {
  await terminal.write(`${line}\r`)
  let text = ''
  for await (const chunk of terminal) {
    text += Buffer.from(chunk).toString()
    if (text.split(line).length > 2) return true
  }
  return false
}

/** A connection that the server has taken. */
async function greeted(index: number): Promise<Duplex> {
  const connection = await sandbox().ports.connect(7000)
  await throughPort(connection, Buffer.from(`hello ${index}`))
  return connection
}

async function throughPort(connection: Duplex, data: Buffer): Promise<boolean> {
  const chunks: Buffer[] = []
  let bytes = 0
  connection.write(data)
  for await (const chunk of connection.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes >= data.length) break
  }
  return Buffer.concat(chunks).equals(data)
}

async function throughFile(path: string, data: Buffer): Promise<boolean> {
  await sandbox().files.write(path, data)
  return data.equals(await sandbox().files.read(path, { format: 'bytes' }))
}

async function untilSeen(watch: AsyncIterator<FileEvent>, path: string): Promise<FileEvent['type'] | undefined> {
  for (let next = await watch.next(); next.done !== true; next = await watch.next())
    if (next.value.path === path) return next.value.type
  return undefined
}
