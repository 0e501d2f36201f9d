/** A process that somebody else stops is found within seconds; one that we stop ourselves, or stop only for a moment, never is. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isStopped, StopGuard } from '../../src/hypervisor/qemu/stopped.ts'

/** Longer than two looks take: the promise is 5 s; a machine that is busy gets more. */
const found = { timeout: 15_000, interval: 50 }
/** Two looks, and some. */
const quietMs = 3_500

describe.runIf(process.platform === 'linux')('on Linux', () => {
  let child: ChildProcess
  let finds: number
  let guard: StopGuard
  beforeEach(async () => {
    child = spawn('sleep', ['100'], { stdio: 'ignore' })
    await once(child, 'spawn')
    finds = 0
    guard = new StopGuard(
      () => child.pid as number,
      () => finds++,
    )
  })
  afterEach(async () => {
    guard.end()
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  })

  test('stopped by somebody else: found, once, with its reason', async () => {
    process.kill(child.pid as number, 'SIGSTOP')
    await expect.poll(() => finds, found).toBe(1)
    expect(guard.reason).toContain('stopped by a signal from outside')
    for (let looks = 0; looks < 3; looks++) await guard.look()
    expect(finds).toBe(1)
  })

  test('stopped by us: never found; once it goes on, the next stop that is not ours is', async () => {
    guard.pausing()
    child.kill('SIGSTOP')
    for (let looks = 0; looks < 3; looks++) await guard.look()
    expect(finds).toBe(0)
    child.kill('SIGCONT')
    guard.resumed()
    for (let looks = 0; looks < 3; looks++) await guard.look()
    expect([finds, guard.reason]).toEqual([0, undefined])
    process.kill(child.pid as number, 'SIGSTOP')
    await expect.poll(() => finds, found).toBe(1)
  })

  test('paused and let go on all the time, as exercising does: never found, whenever somebody looks', async () => {
    const until = performance.now() + quietMs
    while (performance.now() < until) {
      guard.pausing()
      child.kill('SIGSTOP')
      // A look that begins while it stands still and ends when it does not, and the other way round.
      const looks = [guard.look()]
      await delay(1)
      looks.push(guard.look())
      child.kill('SIGCONT')
      guard.resumed()
      looks.push(guard.look())
      await Promise.all(looks)
    }
    expect(finds).toBe(0)
  })

  test('stopped for a moment: no crash', async () => {
    process.kill(child.pid as number, 'SIGSTOP')
    await delay(500)
    process.kill(child.pid as number, 'SIGCONT')
    await delay(quietMs)
    expect(finds).toBe(0)
  })

  test('one that has ended is evidence of nothing', async () => {
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    await guard.look()
    await guard.look()
    expect(finds).toBe(0)
  })
})

const theRest = '1 12 12 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 123456 1000 100'
test.each([
  [`12 (qemu) T ${theRest}`, true],
  [`12 (a) S (b) T ${theRest}`, true],
  [`12 (x) T 1) S ${theRest}`, false],
  [`12 (qemu) t ${theRest}`, false],
  [`12 (qemu) S ${theRest}`, false],
  ['', false],
])('%o: stopped by a signal: %o', (stat, expected) => {
  expect(isStopped(stat)).toBe(expected)
})
