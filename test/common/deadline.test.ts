import { expect, test } from 'vitest'
import { withDeadline } from '../../src/common/deadline.ts'

const never = new Promise<never>(() => {})

test('the result of the work is handed on, and so is its failure', async () => {
  expect(await withDeadline('work', { timeoutMs: 60_000 }, async () => 7)).toBe(7)
  await expect(withDeadline('work', {}, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
})

test('a deadline settles the call and tells the work, even when it does not listen', async () => {
  let told: unknown
  const call = withDeadline('boot of x', { timeoutMs: 10 }, (signal) => {
    signal.addEventListener('abort', () => {
      told = signal.reason
    })
    return never
  })
  const failure = await call.catch((error) => error)
  expect(failure).toMatchObject({ code: 'TIMEOUT', retryable: true, message: 'boot of x took longer than 10 ms.' })
  expect(told).toBe(failure)
})

test('an abort rejects with the reason of the caller, whatever it is', async () => {
  const abort = new AbortController()
  const call = withDeadline('work', { signal: abort.signal }, () => never)
  abort.abort('my reason')
  await expect(call).rejects.toBe('my reason')
})

test('an abort before the call starts no work', async () => {
  let started = false
  const call = withDeadline('work', { signal: AbortSignal.abort('no') }, async () => {
    started = true
  })
  await expect(call).rejects.toBe('no')
  expect(started).toBe(false)
})

test('a deadline longer than a timer can hold does not pass at once', async () => {
  expect(
    await withDeadline('work', { timeoutMs: 2 ** 40 }, () => new Promise((resolve) => setTimeout(() => resolve('done'), 20))),
  ).toBe('done')
})

test('work that fails after its deadline is nobody’s unhandled rejection', async () => {
  let fail: (error: Error) => void = () => {}
  const work = new Promise<never>((_, reject) => {
    fail = reject
  })
  await expect(withDeadline('work', { timeoutMs: 5 }, () => work)).rejects.toMatchObject({ code: 'TIMEOUT' })
  fail(new Error('too late'))
  await new Promise((resolve) => setImmediate(resolve))
})
