/** Output without end costs the host a bounded amount of memory, and holds up nobody but who asked for it. The guests of these tests live in this process: what they hold is counted too. */

import { expect, test } from 'vitest'
import { createFakePool, type FakeProgram } from '../../src/testing/index.ts'
import { collectGarbage, growth, heldBytes, heldInAllBytes, mib } from '../support/memory.ts'
import { quickest, turnsOf } from '../support/meter.ts'

const pieceBytes = 65_536

/** Prints for ever; `taken` counts what it got rid of, all of them together. */
function yes(): { program: FakeProgram; taken(): number } {
  let bytes = 0
  const piece = Buffer.alloc(pieceBytes, 'y\n')
  const program: FakeProgram = async ({ stdout }) => {
    for (;;) {
      await stdout.write(piece)
      bytes += pieceBytes
    }
  }
  return { program, taken: () => bytes }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Until nothing has moved for a thousand turns of the event loop. */
async function standstill(moved: () => number): Promise<void> {
  for (let before = -1; before !== moved(); ) {
    before = moved()
    await turns(1_000)
  }
}

test('an unread `yes` comes to a standstill at 1 MiB, and the host grows by at most 16 MiB', async () => {
  const { program, taken } = yes()
  await using pool = createFakePool({ programs: { yes: program } })
  await using sandbox = await pool.createSandbox()
  collectGarbage()
  const grown = await growth(async () => {
    await using _unread = await sandbox.spawn(['yes'])
    await standstill(taken)
    expect(taken()).toBeGreaterThan(0)
    expect(taken()).toBeLessThanOrEqual(mib)
  })
  expect(grown).toBeLessThanOrEqual(16 * mib)
})

test('a slow reader leaves a second stream at least half of its speed, counted in turns of the event loop', async () => {
  await using pool = createFakePool({ programs: { yes: yes().program } })
  await using sandbox = await pool.createSandbox()
  const readAll = async (): Promise<void> => {
    await using process = await sandbox.spawn(['yes'])
    const reader = process.stdout.getReader()
    for (let read = 0; read < 64 * mib; ) read += (await reader.read()).value?.length ?? 0
  }
  const alone = await turnsOf(readAll)
  await using slow = await sandbox.spawn(['yes'])
  const reader = slow.stdout.getReader()
  let slowBytes = 0
  let reading = true
  const slowly = (async () => {
    while (reading) {
      slowBytes += (await reader.read()).value?.length ?? 0
      await turns(20)
    }
  })()
  const beside = await turnsOf(readAll)
  reading = false
  await slowly
  expect(slowBytes).toBeGreaterThan(0)
  expect(beside).toBeLessThanOrEqual(2 * alone)
})

test('a process that floods unread is killed within 500 ms, and its sandbox works on', async () => {
  await using pool = createFakePool({ programs: { yes: yes().program } })
  await using sandbox = await pool.createSandbox()
  const tookMs = await quickest(500, async () => {
    await using _beside = await sandbox.spawn(['yes'])
    await using flooding = await sandbox.spawn(['yes'])
    await turns(1_000)
    const startedAt = performance.now()
    expect(await flooding.kill('SIGKILL')).toBe(true)
    await flooding.stdout.cancel()
    expect(await flooding.wait()).toMatchObject({ signal: 'SIGKILL' })
    return performance.now() - startedAt
  })
  expect(tookMs).toBeLessThanOrEqual(500)
  expect((await sandbox.exec('echo fine')).stdout).toBe('fine\n')
})

test('1 GiB of output is cut to the MiB that was asked for, and says so; at most 8 MiB are held meanwhile', async () => {
  const pieces = 16_384
  const held: number[] = []
  const flood: FakeProgram = async ({ stdout }) => {
    const piece = Buffer.alloc(pieceBytes, 'x')
    for (let count = 0; count < pieces; count++) {
      if (count % (pieces / 8) === 0) held.push(heldBytes())
      await stdout.write(piece)
    }
    await stdout.write('the end')
    return 0
  }
  await using pool = createFakePool({ programs: { flood } })
  await using sandbox = await pool.createSandbox()
  const before = heldBytes()
  const result = await sandbox.exec(['flood'], { maxBufferBytes: mib })
  expect(result).toMatchObject({ truncated: true, ok: true, droppedBytes: 1_023 * mib + 7 })
  expect(result.stdout.length).toBe(mib)
  expect(result.stdout.endsWith('the end')).toBe(true)
  expect(held.length).toBe(8)
  // Kept twice (stdout and output), and what is on its way on both sides of the wire.
  for (const bytes of held) expect(bytes - before).toBeLessThanOrEqual(8 * mib)
}, 60_000)

test('50 flooding sandboxes, each with a stream that nobody reads and one that is read, cost the host at most 64 MiB', async () => {
  const { program, taken } = yes()
  await using pool = createFakePool({ programs: { yes: program } })
  const sandboxes = await Promise.all(Array.from({ length: 50 }, () => pool.createSandbox()))
  const before = heldInAllBytes()
  const held: number[] = []
  const unread = await Promise.all(sandboxes.map((sandbox) => sandbox.spawn(['yes'])))
  const stop = new AbortController()
  const read = sandboxes.map((sandbox) => sandbox.exec(['yes'], { retain: 'none', signal: stop.signal }))
  for (const call of read) call.catch(() => {})
  while (taken() < 512 * mib) {
    await turns(1)
    if (taken() > held.length * 64 * mib) held.push(heldInAllBytes())
  }
  stop.abort('enough')
  for (const call of read) await expect(call).rejects.toBe('enough')
  for (const process of unread) await process[Symbol.asyncDispose]()
  expect(held.length).toBeGreaterThanOrEqual(8)
  for (const bytes of held) expect(bytes - before).toBeLessThanOrEqual(64 * mib)
}, 60_000)

test('256 MiB of stdin into a program that never reads: the host takes at most 1 MiB of it', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  let taken = 0
  const stdin = async function* (): AsyncGenerator<Uint8Array> {
    for (; taken < 256 * mib; taken += pieceBytes) yield Buffer.alloc(pieceBytes)
  }
  const stop = new AbortController()
  const call = sandbox.exec('sleep infinity', { stdin: stdin(), signal: stop.signal })
  call.catch(() => {})
  while (taken === 0) await turns(1)
  await standstill(() => taken)
  expect(taken).toBeLessThanOrEqual(mib)
  stop.abort('enough')
  await expect(call).rejects.toBe('enough')
})
