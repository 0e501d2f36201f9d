/** What a guest says is measured before it is read, is nothing but what the table names, and is shown only short and harmless. */

import { Duplex } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { type AgentConnection, encodeMessage, type GuestMessage, messageBytesMax } from '../../src/agent/index.ts'
import { QmpClient } from '../../src/hypervisor/qemu/qmp.ts'
import { talkTo } from '../agent/talking.ts'
import { everyCall } from '../support/calls.ts'
import { rawGuest, startedProcess } from '../support/hostile-guest.ts'
import { collectGarbage, growth, mib } from '../support/memory.ts'

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes)
  return length
}

describe('the size of a message is refused before any of it is there', () => {
  it.each([0, messageBytesMax.host + 1, 0x7fff_ffff, 0xffff_ffff])('%i bytes', async (bytes) => {
    const guest = await rawGuest()
    const process = await startedProcess(guest)
    collectGarbage()
    const grown = await growth(async () => {
      guest.peer.data(1, lengthOf(bytes))
      await expect(process.exited).rejects.toMatchObject({ code: 'PROTOCOL', message: expect.stringContaining(`${bytes} bytes`) })
    })
    expect(grown).toBeLessThanOrEqual(8 * mib)
    await guest.peer.sawClose()
  })
})

describe('depth', () => {
  it('a message has none: fields within fields are bytes, and what is no text is refused', async () => {
    // Each field holds a whole message, to the length that the wire takes.
    let nested = Buffer.alloc(0)
    while (nested.length < 4_000) nested = Buffer.concat([Buffer.of(0xff, 3), lengthOf(nested.length), nested])
    const body = Buffer.concat([Buffer.of(0xff, 3), lengthOf(nested.length), nested])
    const { connection } = await talkTo({ onRequest: (_, stream) => stream.end(Buffer.concat([lengthOf(body.length), body])) })
    await expect(connection.limits.measure()).rejects.toMatchObject({ code: 'PROTOCOL' })
  })

  it('QEMU’s JSON is as deep as its longest line, and answers nobody', async () => {
    const pipe = new Duplex({ read() {}, write: (_chunk, _, done) => done() })
    const client = new QmpClient(pipe)
    const asked = client.execute('query-status')
    asked.catch(() => {})
    const deep = 250_000
    pipe.push(`{"event":${'['.repeat(deep)}${']'.repeat(deep)}}\n{"QMP":${'{"a":'.repeat(deep / 2)}1${'}'.repeat(deep / 2)}}\n`)
    pipe.push('{"return":"the one"}\n')
    expect(await asked).toBe('the one')
    pipe.destroy()
  })
})

describe('no prototype is reached', () => {
  const poison = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf']

  it.each(poison)('by a guest that fails with %s: every call says so as a typed error', async (name) => {
    await expectTypedFailures({ type: 'Failed', errno: name, step: name, message: `{"${name}":{"polluted":1}}` })
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it.each(poison)('by QEMU’s JSON with %s', async (name) => {
    const pipe = new Duplex({ read() {}, write: (_chunk, _, done) => done() })
    const client = new QmpClient(pipe)
    const asked = client.execute('query-status')
    pipe.push(`{"${name}":{"polluted":1},"event":"x","data":{"${name}":{"polluted":1}}}\n`)
    pipe.push(`{"${name}":{"polluted":1},"return":{"${name}":{"polluted":1}}}\n`)
    await asked
    for (const one of [{}, [], () => {}] as unknown as Record<string, unknown>[]) expect(one.polluted).toBeUndefined()
    pipe.destroy()
  })
})

it('what a guest says of a failure is shown capped and without control characters, whatever was asked', async () => {
  const nasty = '\u001b]0;owned\u0007\u001b[2J\r\n\u009b31m\u2028\u202e\u0001'
  const errors = await expectTypedFailures({
    type: 'Failed',
    errno: nasty.repeat(400),
    step: nasty.repeat(400),
    message: nasty.repeat(100),
  })
  for (const [name, error] of errors) {
    const shown = [error.message, error.hint ?? '', (error as { errno?: string }).errno ?? '']
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    for (const text of shown) expect(text, name).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/)
    expect(error.message.length, name).toBeLessThan(1_024)
  }
})

/** Every call of a host, answered with this failure by a guest that goes on. */
async function expectTypedFailures(failed: GuestMessage): Promise<Map<string, Error & { code?: string; hint?: string }>> {
  const said = encodeMessage(failed)
  const fail = (stream: Duplex): void => {
    stream.resume()
    stream.end(said)
  }
  const { connection, guest } = await talkTo({
    onHello: (_, stream) => fail(stream),
    onStart: (process) => void process.control.end(said),
    onWriteFile: (_, stream) => fail(stream),
    onRequest: (_, stream) => fail(stream),
  })
  const errors = new Map<string, Error & { code?: string }>()
  for (const [name, call] of callsThatFail(connection)) {
    const error = await call.then(
      () => new Error('it did not fail'),
      (reason: Error) => reason,
    )
    expect(error, name).toMatchObject({ code: expect.stringMatching(/^[A-Z_]+$/), retryable: expect.any(Boolean) })
    errors.set(name, error)
  }
  // A failure is an answer: the connection goes on.
  expect(await connection.ping()).toBeGreaterThan(0)
  expect(guest.streamCount).toBe(0)
  connection.close()
  return errors
}

function callsThatFail(connection: AgentConnection): Array<[string, Promise<unknown>]> {
  return [...everyCall(connection)].filter(([name]) => name !== 'ping')
}
