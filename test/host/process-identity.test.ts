/** A process is known by more than its pid, and what is not known is not dead. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { identityText, isAlive, isShortage, ownIdentity, parseIdentity } from '../../src/host/index.ts'

test('this process is alive, also when its name was written down', async () => {
  const own = await ownIdentity()
  expect(own.pid).toBe(process.pid)
  expect(parseIdentity(identityText(own))).toEqual(own)
  expect(await isAlive(own)).toBe(true)
})

test('another start time, another boot and another pid are somebody else', async () => {
  const own = await ownIdentity()
  expect(await isAlive({ ...own, startedAt: `${Number(own.startedAt) + 1}` })).toBe(false)
  expect(await isAlive({ ...own, boot: '000000000000' })).toBe(false)
  expect(await isAlive({ ...own, pid: 999_999_999 })).toBe(false)
})

test('a process whose name holds brackets and blanks is read as any other', async () => {
  const child = spawn('sh', ['-c', 'printf "a) R 1" > /proc/self/comm; cat /proc/self/stat >&2; echo; read _'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'data')
  const pid = child.pid as number
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const startedAt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] as string
  const { boot } = await ownIdentity()
  expect(await isAlive({ pid, startedAt, boot })).toBe(true)
  child.stdin.end()
  await once(child, 'close')
  expect(await isAlive({ pid, startedAt, boot })).toBe(false)
})

test.each(['', '1', '1-2', '0-1-a', '-1-2-3', '1-2-3-4', '../1-2-3', '1-x-3'])('%o is no identity', (text) => {
  expect(parseIdentity(text)).toBeUndefined()
})

test('too many open files say nothing about a file', () => {
  expect(isShortage(Object.assign(new Error('no'), { code: 'EMFILE' }))).toBe(true)
  for (const error of [Object.assign(new Error('no'), { code: 'ENOENT' }), new Error('no'), undefined])
    expect(isShortage(error)).toBe(false)
})
