/** Work that many want is done once, and ends when nobody wants it. */

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { deferred } from '../../src/common/deferred.ts'
import { SharedWork } from '../../src/common/shared-work.ts'

test('callers at once get one result, each hears of its events, and the next call works anew', async () => {
  const work = new SharedWork<number, string>()
  let runs = 0
  const heard: string[] = []
  const begin = async (_: AbortSignal, announce: (event: string) => void): Promise<number> => {
    announce('begun')
    await delay(5)
    return ++runs
  }
  const join = (name: string): Promise<number> => work.join('key', { onEvent: (event) => heard.push(`${name} ${event}`) }, begin)
  expect(await Promise.all([join('one'), join('two')])).toEqual([1, 1])
  expect(heard).toEqual(['one begun', 'two begun'])
  expect(await join('three')).toBe(2)
  expect(await Promise.all([work.join('a', {}, begin), work.join('b', {}, begin)])).toEqual([3, 4])
})

test('a failure is everybody’s, and is forgotten', async () => {
  const work = new SharedWork<number>()
  const failing = (): Promise<number> => Promise.reject(new Error('no'))
  const both = await Promise.allSettled([work.join('key', {}, failing), work.join('key', {}, failing)])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await work.join('key', {}, async () => 1)).toBe(1)
})

test('the last who gives up ends it, and hears of that when it has ended; who comes then begins anew', async () => {
  const work = new SharedWork<string>()
  const clearing = deferred<void>()
  let cleared = false
  const begin = async (signal: AbortSignal): Promise<string> => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    await clearing.promise
    cleared = true
    throw signal.reason
  }
  const [one, two] = [new AbortController(), new AbortController()]
  const first = work.join('key', { signal: one.signal }, begin)
  const second = work.join('key', { signal: two.signal }, begin)
  one.abort('one')
  await expect(first).rejects.toBe('one')
  two.abort('two')
  const refused = expect(second).rejects.toBe('two')
  await delay(1)
  const third = work.join('key', {}, async () => (cleared ? 'after' : 'too early'))
  const late = new AbortController()
  const fourth = work.join('key', { signal: late.signal }, async () => 'never')
  const tooLate = expect(fourth).rejects.toBe('late')
  late.abort('late')
  clearing.resolve()
  await refused
  expect(await third).toBe('after')
  await tooLate
  await expect(work.join('key', { signal: AbortSignal.abort('gone') }, async () => 'never')).rejects.toBe('gone')
})
