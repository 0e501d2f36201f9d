import { describe, expect, it } from 'vitest'
import { argumentBytesMax, encodeMessage } from '../../src/agent/index.ts'
import { spec } from '../support/calls.ts'
import type { SmallProcess } from './small-guest.ts'
import { talkTo } from './talking.ts'

describe('a process that was not started', () => {
  it.each([
    ['user', 'EINVAL', "no user 'root'", 'passwd'],
    ['cwd', 'ENOENT', "directory '/' does not exist", 'another one'],
    ['exec', 'ENOENT', "no program 'true'", 'PATH'],
    ['exec', 'EACCES', 'may not execute', 'chmod'],
    ['exec', 'EPERM', 'asks for capabilities', 'setcap -r'],
    ['exec', 'ENOEXEC', 'no format', '#!'],
    ['spawn', 'EAGAIN', 'no process left', 'Wait'],
    ['mount', 'EIO', "step 'mount'", ''],
  ])('%s %s is said in words', async (step, errno, words, hint) => {
    const { connection, guest } = await talkTo({
      onStart: (process) =>
        void process.control.end(encodeMessage({ type: 'Failed', errno, step, message: 'the guest’s words' })),
    })
    const error = await connection.start(spec()).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'SPAWN_FAILED', message: expect.stringContaining(words), retryable: errno === 'EAGAIN' })
    expect((error as Error).message).toContain(errno)
    expect((error as Error).message).toContain(hint)
    await connection.ping()
    expect(guest.streamCount).toBe(0)
    connection.close()
  })

  it('the guest’s text is capped and holds no control characters', async () => {
    const { connection } = await talkTo({
      onStart: (process) =>
        void process.control.end(
          encodeMessage({
            type: 'Failed',
            errno: `E${'\u001b[31m'.repeat(20)}`,
            step: '\nx',
            message: '\u001b]0;owned\u0007\r\n'.repeat(200),
          }),
        ),
    })
    const error = (await connection.start(spec()).catch((reason: unknown) => reason)) as Error
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(error.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
    expect(error.message.length).toBeLessThan(900)
    connection.close()
  })

  it.each([
    ['no program', { arguments: [] }, 'program'],
    ['a NUL in an argument', { arguments: ['a', 'b\0c'] }, 'argument 1'],
    ['an argument that Linux does not take', { arguments: ['a', 'é'.repeat(argumentBytesMax / 2 + 1)] }, 'argument 1'],
    ['a variable that Linux does not take', { environment: { BIG: 'x'.repeat(argumentBytesMax) } }, 'BIG'],
    ['a variable without a name', { environment: { '': 'x' } }, 'name'],
    ['more than the wire takes', { arguments: Array.from({ length: 12 }, () => 'x'.repeat(100_000)) }, '1048576'],
  ])('%s is refused before anything is sent', async (_name, changes, words) => {
    let asked = 0
    const { connection } = await talkTo({ onStart: () => void asked++ })
    await expect(connection.start(spec(changes))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(words),
    })
    await connection.ping()
    expect(asked).toBe(0)
    connection.close()
  })
})

describe('a start that is given up', () => {
  it('kills what may have been started, and frees its place', async () => {
    const seen: SmallProcess[] = []
    const { connection, guest } = await talkTo({ onStart: (process) => void seen.push(process) })
    const controller = new AbortController()
    const aborted = connection.start(spec(), { signal: controller.signal })
    aborted.catch(() => {})
    while (seen.length < 1) await connection.ping()
    controller.abort(new Error('not wanted'))
    await expect(aborted).rejects.toThrow('not wanted')
    await expect(connection.start(spec(), { timeoutMs: 10 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    await connection.ping()
    expect(seen.map((process) => process.control.destroyed)).toEqual([true, true])
    expect(guest.streamCount).toBe(0)
    connection.close()
  })

  it('by a signal that had fired before sends nothing', async () => {
    let asked = 0
    const { connection } = await talkTo({ onStart: () => void asked++ })
    await expect(connection.start(spec(), { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before')
    await connection.ping()
    expect(asked).toBe(0)
    connection.close()
  })
})
