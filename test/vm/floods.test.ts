/** Whoever floods costs the host a bounded amount of memory, and slows nobody else down beyond their share. */

import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type Process, WarmcellError } from '../../src/index.ts'
import { effort, full, within } from '../support/effort.ts'
import { poolOfThisFile } from './vm.ts'

const mib = 1_048_576
const pool = poolOfThisFile({ templates: { base: { resources: { memoryMib: 192 } } } })

/** The memory of this process that JavaScript does not give back by itself is no evidence: what is looked at is collected first, where the runner lets us. */
function residentBytes(): number {
  globalThis.gc?.()
  return process.memoryUsage.rss()
}

/** The most that it grew by while the work went on, looked at every 50 ms. */
async function growthDuring(work: () => Promise<unknown>): Promise<number> {
  const before = residentBytes()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 50)
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  return most - before
}

/** Reads for so long, as fast as it comes or so much a second. Returns how many bytes came. */
async function readFor(ms: number, reader: ReadableStreamDefaultReader<Uint8Array>, pauseMs = 0): Promise<number> {
  let bytes = 0
  for (const until = performance.now() + ms; performance.now() < until; ) {
    bytes += (await reader.read()).value?.length ?? 0
    if (pauseMs > 0) await delay(pauseMs)
  }
  return bytes
}

describe('output', () => {
  const floodMs = effort(5_000, 30_000)
  it(`that nobody reads for ${floodMs / 1_000} s: the host grows by no more than 16 MiB, and the flood ends when told`, async () => {
    await using sandbox = await pool().createSandbox()
    await using flood = await sandbox.spawn(['yes'])
    expect(await growthDuring(() => delay(floodMs))).toBeLessThanOrEqual(16 * mib)
    // Half a second is promised.
    await within(5_000, 'the kill', flood.kill('SIGKILL'))
    expect((await within(5_000, 'the end', flood.wait())).signal).toBe('SIGKILL')
  })

  it('of 50 processes that nobody reads: the host grows by no more than 64 MiB', async () => {
    await using sandbox = await pool().createSandbox()
    const floods: Process[] = []
    const growth = await growthDuring(async () => {
      for (let count = 0; count < 50; count++) floods.push(await sandbox.spawn(['yes'], { retain: 'none' }))
      await delay(effort(1_000, 10_000))
    })
    expect(growth).toBeLessThanOrEqual(64 * mib)
    await within(30_000, 'destroy', sandbox.destroy())
    for (const flood of floods) await expect(flood.wait()).rejects.toMatchObject({ code: 'SANDBOX_GONE' })
  })

  it('that is read slowly leaves a second stream at least half of its speed', async () => {
    await using sandbox = await pool().createSandbox()
    const spanMs = effort(1_500, 5_000)
    const fastAlone = async (): Promise<number> => {
      await using flood = await sandbox.spawn(['cat', '/dev/zero'], { retain: 'none' })
      const reader = flood.stdout.getReader()
      await reader.read()
      return await readFor(spanMs, reader)
    }
    await fastAlone()
    // In turns, so that what else this machine does falls on both.
    let [alone, beside] = [0, 0]
    for (let turn = 0; turn < effort(1, 3); turn++) {
      alone += await fastAlone()
      await using slow = await sandbox.spawn(['cat', '/dev/zero'], { retain: 'none' })
      const reading = readFor(spanMs + 500, slow.stdout.getReader(), 100)
      beside += await fastAlone()
      expect(await reading).toBeGreaterThan(0)
    }
    expect(beside / alone).toBeGreaterThan(0.5)
  })

  const outputMib = effort(256, 1_024)
  it(`of ${outputMib} MiB is truncated as asked`, { timeout: 600_000 }, async () => {
    await using sandbox = await pool().createSandbox()
    const growth = await growthDuring(async () => {
      const command = `dd if=/dev/zero bs=1M count=${outputMib} 2>/dev/null; printf end`
      const result = await sandbox.exec(command, { maxBufferBytes: mib })
      expect(result).toMatchObject({ ok: true, truncated: true })
      expect(Buffer.byteLength(result.stdout)).toBe(mib)
      expect(result.stdout.endsWith('\0end')).toBe(true)
      expect(result.droppedBytes).toBe((outputMib - 1) * mib + 3)
    })
    expect(growth).toBeLessThanOrEqual(128 * mib)
  })
})

it('256 MiB of input into a program that never reads: no more than 1 MiB is taken', async () => {
  await using sandbox = await pool().createSandbox()
  let taken = 0
  const pieces = async function* () {
    for (let piece = 0; piece < 4_096; piece++) {
      taken += 65_536
      yield Buffer.alloc(65_536)
    }
  }
  const growth = await growthDuring(async () => {
    expect((await sandbox.exec(['sleep', '3'], { stdin: pieces() })).exitCode).toBe(0)
  })
  expect(taken).toBeLessThanOrEqual(mib)
  expect(growth).toBeLessThanOrEqual(16 * mib)
})

describe('commands', () => {
  const many = effort(250, 1_000)
  it(`${many} at once: each is served or told why`, { timeout: 300_000 }, async () => {
    await using sandbox = await pool().createSandbox()
    const outcomes = await Promise.all(
      Array.from({ length: many }, (_, index) =>
        sandbox.exec(['echo', String(index)]).then(
          ({ stdout }) => stdout === `${index}\n`,
          (error: unknown) => WarmcellError.is(error) && error.code,
        ),
      ),
    )
    // They wait in line: nothing is refused, and nobody gets another's output.
    expect(outcomes.filter((outcome) => outcome !== true)).toEqual([])
    expect(await sandbox.processes.list()).toEqual([])
  })

  it('50 under way when it is destroyed, ten times at once: all are told', async () => {
    const sandbox = await pool().createSandbox()
    const running = Array.from({ length: 50 }, () => sandbox.exec('sleep 300').catch((error: unknown) => error))
    await sandbox.exec('true')
    await within(10_000, 'destroy', Promise.all(Array.from({ length: 10 }, () => sandbox.destroy())))
    for (const error of await within(10_000, 'the calls', Promise.all(running)))
      expect(error).toMatchObject({ code: 'SANDBOX_GONE', reason: 'requested' })
  })

  it.runIf(full)('10,000 one after the other leak nothing', { timeout: 1_800_000 }, async () => {
    await using sandbox = await pool().createSandbox()
    const measure = async () => {
      globalThis.gc?.()
      const { memoryBytes, processes } = await sandbox.usage()
      return { heap: process.memoryUsage().heapUsed, memoryBytes, processes }
    }
    let early: Awaited<ReturnType<typeof measure>> | undefined
    for (let count = 0; count < 10_000; count++) {
      if (count === 1_000) early = await measure()
      await sandbox.exec(['true'])
    }
    const late = await measure()
    expect(early).toBeDefined()
    expect(late.processes).toBe(early?.processes)
    // A hundred bytes a command would be a megabyte.
    expect(late.heap - (early?.heap ?? 0)).toBeLessThan(16 * mib)
    expect(late.memoryBytes - (early?.memoryBytes ?? 0)).toBeLessThan(4 * mib)
  })
})
