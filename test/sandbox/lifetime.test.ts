import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Lifetime } from '../../src/sandbox/lifetime.ts'
import { createFakePool } from '../../src/testing/index.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function lifetime(options: ConstructorParameters<typeof Lifetime>[0]): { life: Lifetime; ends: string[] } {
  const ends: string[] = []
  return { life: new Lifetime(options, (reason) => void ends.push(reason)), ends }
}

test('without a timeout nothing ends', () => {
  const { life, ends } = lifetime({})
  vi.advanceTimersByTime(1e12)
  expect(ends).toEqual([])
  expect(life.expiresAt).toBeUndefined()
})

test('the lifetime ends when it has passed, and not a millisecond before', () => {
  const { life, ends } = lifetime({ timeoutMs: 1_000 })
  expect(life.expiresAt?.getTime()).toBe(Date.now() + 1_000)
  vi.advanceTimersByTime(999)
  expect(ends).toEqual([])
  vi.advanceTimersByTime(1)
  expect(ends).toEqual(['timeout'])
})

test('extending counts from now, whatever was left, and may also shorten', () => {
  const { life, ends } = lifetime({ timeoutMs: 1_000 })
  vi.advanceTimersByTime(900)
  expect(life.extend(500).getTime()).toBe(Date.now() + 500)
  vi.advanceTimersByTime(499)
  expect(ends).toEqual([])
  life.extend(10)
  vi.advanceTimersByTime(10)
  expect(ends).toEqual(['timeout'])
})

test('a lifetime longer than a timer can hold ends in its own time', () => {
  const days = 24 * 3_600_000
  const { ends } = lifetime({ timeoutMs: 60 * days })
  vi.advanceTimersByTime(60 * days - 1)
  expect(ends).toEqual([])
  vi.advanceTimersByTime(1)
  expect(ends).toEqual(['timeout'])
})

test('a jump of the wall clock ends nothing', () => {
  const { life, ends } = lifetime({ timeoutMs: 1_000 })
  vi.setSystemTime(Date.now() + 3_600_000)
  vi.advanceTimersByTime(999)
  expect(ends).toEqual([])
  expect(life.expiresAt?.getTime()).toBe(Date.now() + 1)
})

test('idleness is counted only while nothing runs, and from the last end', () => {
  const { life, ends } = lifetime({ idleTimeoutMs: 100 })
  vi.advanceTimersByTime(99)
  const [one, two] = [life.enter(), life.enter()]
  vi.advanceTimersByTime(10_000)
  one()
  one()
  vi.advanceTimersByTime(10_000)
  expect(ends).toEqual([])
  two()
  vi.advanceTimersByTime(99)
  expect(ends).toEqual([])
  vi.advanceTimersByTime(1)
  expect(ends).toEqual(['idle'])
})

test('a touch begins the idle time anew, and costs no timer', () => {
  const { life, ends } = lifetime({ idleTimeoutMs: 100 })
  for (let at = 0; at < 1_000; at += 50) {
    vi.advanceTimersByTime(50)
    for (let piece = 0; piece < 100; piece++) life.touch()
    expect(vi.getTimerCount()).toBe(1)
  }
  vi.advanceTimersByTime(99)
  expect(ends).toEqual([])
  vi.advanceTimersByTime(1)
  expect(ends).toEqual(['idle'])
})

test('what comes and goes while the timer runs leaves one timer', () => {
  const { life, ends } = lifetime({ idleTimeoutMs: 100 })
  vi.advanceTimersByTime(60)
  for (let turn = 0; turn < 10; turn++) life.enter()()
  expect(vi.getTimerCount()).toBe(1)
  vi.advanceTimersByTime(99)
  expect(ends).toEqual([])
  vi.advanceTimersByTime(1)
  expect(ends).toEqual(['idle'])
})

test('extending is activity', () => {
  const { life, ends } = lifetime({ idleTimeoutMs: 100 })
  vi.advanceTimersByTime(90)
  life.extend(10_000)
  vi.advanceTimersByTime(99)
  expect(ends).toEqual([])
  vi.advanceTimersByTime(1)
  expect(ends).toEqual(['idle'])
  life.stop()
})

test('a timer that fires with a hair missing is set once more', () => {
  const { life, ends } = lifetime({ idleTimeoutMs: 100.5 })
  vi.advanceTimersByTime(100)
  expect(ends).toEqual([])
  vi.advanceTimersByTime(1)
  expect(ends).toEqual(['idle'])
  life.stop()
})

test('after stop nothing ends any more, also when something that ran ends late', () => {
  const { life, ends } = lifetime({ timeoutMs: 100, idleTimeoutMs: 100 })
  const leave = life.enter()
  life.stop()
  leave()
  vi.advanceTimersByTime(1_000)
  expect(ends).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})

test('a sandbox ends with its lifetime or its idleness, and says which', async () => {
  vi.useRealTimers()
  await using pool = createFakePool()
  const reasons: string[] = []
  pool.on('destroyed', (_, reason) => void reasons.push(reason))
  const old = await pool.createSandbox({ timeoutMs: 60 })
  const failure = await old.exec('sleep infinity').catch((error) => error)
  expect(failure).toMatchObject({ code: 'SANDBOX_GONE', reason: 'timeout' })
  const idle = await pool.createSandbox({ idleTimeoutMs: 60 })
  expect(await idle.exec('sleep 0.2')).toMatchObject({ ok: true })
  await expect.poll(() => idle.state).toBe('destroyed')
  await expect(idle.exec('true')).rejects.toMatchObject({ code: 'SANDBOX_GONE', reason: 'idle' })
  expect(reasons).toEqual(['timeout', 'idle'])
})

test('extendTimeout gives a sandbox a lifetime, and info tells it', async () => {
  vi.useRealTimers()
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox()
  expect(sandbox.info().expiresAt).toBeUndefined()
  const until = sandbox.extendTimeout(3_600_000)
  expect(Math.abs((sandbox.info().expiresAt?.getTime() ?? 0) - until.getTime())).toBeLessThan(1_000)
  expect(() => sandbox.extendTimeout(-1)).toThrow('expected 0 or more milliseconds')
  expect(() => sandbox.extendTimeout(Number.NaN)).toThrow('expected a number of milliseconds')
  sandbox.extendTimeout(0)
  await expect.poll(() => sandbox.state).toBe('destroyed')
})
