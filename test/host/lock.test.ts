/** One at a time, also across processes, and nobody waits for the dead. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { withLock } from '../../src/host/index.ts'
import { commandOf, linesOf, startProgram } from '../support/program.ts'
import { Scratch } from '../support/scratch.ts'

const holder = 'hold-lock.ts'

/** Work that says when it begins and ends; two at once would show. */
async function work(trace: string, name: string, ms = 5): Promise<void> {
  appendFileSync(trace, `+${name}\n`)
  await delay(ms)
  appendFileSync(trace, `-${name}\n`)
}

function assertOneAtATime(trace: string, count: number): void {
  const lines = readFileSync(trace, 'utf8').trim().split('\n')
  expect(lines.length).toBe(2 * count)
  for (let line = 0; line < lines.length; line += 2) expect(lines[line + 1]).toBe(lines[line]?.replace('+', '-'))
}

test('callers of one process take turns, and other names are other locks', async () => {
  using scratch = new Scratch()
  const trace = scratch.file('trace', '')
  const directory = scratch.join('.')
  await Promise.all(Array.from({ length: 8 }, (_, index) => withLock(directory, 'a', {}, () => work(trace, String(index)))))
  assertOneAtATime(trace, 8)
  const order: string[] = []
  await withLock(directory, 'a', {}, () => withLock(directory, 'b', {}, async () => void order.push('both')))
  expect(order).toEqual(['both'])
  expect(readdirSync(directory)).toEqual(['trace'])
})

test('what the work throws comes through, and the lock is free again', async () => {
  using scratch = new Scratch()
  const failing = withLock(scratch.hostPath, 'a', {}, () => Promise.reject(new Error('no')))
  await expect(failing).rejects.toThrow('no')
  expect(await withLock(scratch.hostPath, 'a', {}, async () => 'yes')).toBe('yes')
})

test('one that waits says so once, and can give up', async () => {
  using scratch = new Scratch()
  const abort = new AbortController()
  let waits = 0
  await withLock(scratch.hostPath, 'a', {}, async () => {
    const waiting = withLock(scratch.hostPath, 'a', { signal: abort.signal, onWait: () => waits++ }, async () => 'never')
    await delay(200)
    abort.abort('enough')
    await expect(waiting).rejects.toBe('enough')
    await expect(withLock(scratch.hostPath, 'a', { signal: abort.signal }, async () => {})).rejects.toBe('enough')
  })
  expect(waits).toBe(1)
  expect(readdirSync(scratch.hostPath)).toEqual([])
})

test('tickets of dead processes, of another boot, of a pid that is another’s now, and garbage count for nothing', async () => {
  using scratch = new Scratch()
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').replaceAll('-', '').slice(0, 12)
  for (const owner of [`999999999-5-${boot}`, `${process.pid}-1-${boot}`, `${process.pid}-5-000000000000`, 'nobody']) {
    writeFileSync(scratch.join(`a.1.${owner}.abcdef`), '')
  }
  writeFileSync(scratch.join('another.1.nobody.abcdef'), '')
  expect(await withLock(scratch.hostPath, 'a', {}, async () => 'mine')).toBe('mine')
  expect(readdirSync(scratch.hostPath)).toEqual(['another.1.nobody.abcdef'])
})

test('processes that race for it take turns', async () => {
  using scratch = new Scratch()
  const trace = scratch.file('trace', '')
  const racers = Array.from({ length: 4 }, () => startProgram(holder, scratch.hostPath, trace, '10'))
  await Promise.all(racers.map((racer) => once(racer, 'exit')))
  expect(racers.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0])
  assertOneAtATime(trace, 40)
  expect(readdirSync(scratch.hostPath)).toEqual(['trace'])
})

test('when its holder is killed the next takes over within two seconds', async () => {
  using scratch = new Scratch()
  const trace = scratch.file('trace', '')
  const killed = startProgram(holder, scratch.hostPath, trace, 'for-ever')
  await linesOf(killed).next()
  const waiting = withLock(scratch.hostPath, 'a', {}, async () => performance.now())
  await delay(300)
  const closed = once(killed, 'close')
  killed.kill('SIGKILL')
  const killedAt = performance.now()
  expect((await waiting) - killedAt).toBeLessThan(2_000)
  await closed
  expect(readdirSync(scratch.hostPath)).toEqual(['trace'])
})

test('a holder that has ended and was not reaped yet is dead', async () => {
  using scratch = new Scratch()
  const trace = scratch.file('trace', '')
  const command = commandOf(holder, scratch.hostPath, trace, 'for-ever')
  // The shell starts the holder and never waits for it; killed, it stays behind as a zombie.
  const parent = spawn('sh', ['-c', '"$@" & echo "$!"; exec sleep 60', 'sh', ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = linesOf(parent)
  const pid = Number((await lines.next()).value)
  await lines.next()
  process.kill(pid, 'SIGKILL')
  await expect(withLock(scratch.hostPath, 'a', {}, async () => 'mine')).resolves.toBe('mine')
  parent.kill('SIGKILL')
  await once(parent, 'close')
})
