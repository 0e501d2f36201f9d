/** What a tenant may use is what its template or its create says; who wants more is told, and nobody else notices. */

import { afterAll, describe, expect, it } from 'vitest'
import type { Sandbox } from '../../src/index.ts'
import { poolOfThisFile, sandboxOfThisFile } from './vm.ts'

const mib = 1_048_576
const pool = poolOfThisFile({ templates: { base: { resources: { memoryMib: 160, diskMib: 32, pids: 64 } } } })
/** Beside every other: what happens there must not be felt here. */
const neighbour = sandboxOfThisFile(pool)

async function isFine(sandbox: Sandbox): Promise<void> {
  expect(await sandbox.exec('echo fine; echo written > still-writable')).toMatchObject({ stdout: 'fine\n', ok: true })
  expect((await sandbox.usage()).oomKills).toBe(0)
}

afterAll(() => isFine(neighbour()))

/** Holds as much memory as it is told to, and says when it has it: an awk string that doubles. */
const hog = `awk 'BEGIN { text = "x"; while (1) text = text text }'`

describe('usage', () => {
  it('tells what is taken and what may be', async () => {
    await using sandbox = await pool().createSandbox()
    const before = await sandbox.usage()
    expect(before).toMatchObject({ diskLimitBytes: 32 * mib, oomKills: 0 })
    expect(before.memoryLimitBytes).toBeGreaterThan(64 * mib)
    expect(before.memoryLimitBytes).toBeLessThan(144 * mib)
    const process = await sandbox.spawn(
      'head -c 8388608 /dev/urandom > 8mib; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 60',
    )
    await expect.poll(async () => (await sandbox.usage()).cpuMs - before.cpuMs, { timeout: 30_000 }).toBeGreaterThan(50)
    await expect
      .poll(async () => (await sandbox.usage()).diskBytes - before.diskBytes, { timeout: 30_000 })
      .toBeGreaterThanOrEqual(8 * mib)
    const after = await sandbox.usage()
    // What is written lives in memory.
    expect(after.memoryBytes - before.memoryBytes).toBeGreaterThanOrEqual(8 * mib)
    expect(after.processes).toBeGreaterThan(before.processes)
    expect(after.uptimeMs).toBeGreaterThan(before.uptimeMs)
    await process.kill('SIGKILL')
  })
})

describe('memory', () => {
  it('that is used up ends what wanted it, and the agent lives', async () => {
    await using sandbox = await pool().createSandbox()
    const result = await sandbox.exec(hog)
    expect(result).toMatchObject({ oomKilled: true, ok: false })
    expect((await sandbox.usage()).oomKills).toBeGreaterThan(0)
    expect((await sandbox.exec('echo alive')).stdout).toBe('alive\n')
    await isFine(neighbour())
  })

  it('may be less than the template’s', async () => {
    await using sandbox = await pool().createSandbox({ resources: { memoryMib: 24 } })
    expect((await sandbox.usage()).memoryLimitBytes).toBe(24 * mib)
    // 16 MiB fit the neighbour twice over, and here not once: awk holds a string and its double.
    const holds = `awk 'BEGIN { text = "x"; while (length(text) < 16777216) text = text text; print length(text) }'`
    expect(await sandbox.exec(holds)).toMatchObject({ oomKilled: true })
    expect((await neighbour().exec(holds)).stdout).toBe('16777216\n')
    expect((await sandbox.exec('echo alive')).stdout).toBe('alive\n')
  })

  it('that the template’s guest has not is what it has', async () => {
    await using sandbox = await pool().createSandbox({ resources: { memoryMib: 159 } })
    expect((await sandbox.usage()).memoryLimitBytes).toBe((await neighbour().usage()).memoryLimitBytes)
  })
})

describe('the disk', () => {
  it('that is full says ENOSPC to programs, and has room again when something is removed', async () => {
    await using sandbox = await pool().createSandbox()
    const full = await sandbox.exec('dd if=/dev/zero of=big bs=1M count=64')
    expect(full.ok).toBe(false)
    expect(full.stderr).toContain('No space left on device')
    const { diskBytes, diskLimitBytes } = await sandbox.usage()
    expect(diskLimitBytes - diskBytes).toBeLessThan(mib)
    expect((await sandbox.exec('rm big; echo again > small; cat small')).stdout).toBe('again\n')
    await isFine(neighbour())
  })

  it('may be less than the template’s, and then a create’s files feel it', async () => {
    await using sandbox = await pool().createSandbox({ resources: { diskMib: 2 }, files: { 'one.bin': new Uint8Array(mib) } })
    expect((await sandbox.usage()).diskLimitBytes).toBe(2 * mib)
    expect((await sandbox.exec('dd if=/dev/zero of=two.bin bs=1M count=4')).stderr).toContain('No space left on device')
    const create = pool().createSandbox({ resources: { diskMib: 2 }, files: { 'big.bin': new Uint8Array(3 * mib) } })
    await expect(create).rejects.toMatchObject({ code: 'FILE', errno: 'ENOSPC' })
  })
})

describe('processes', () => {
  it('that are used up by a fork bomb: usage answers, destroy works, nobody else notices', async () => {
    const sandbox = await pool().createSandbox()
    await sandbox.exec('bomb() { bomb | bomb & }; bomb >/dev/null 2>&1 </dev/null').catch(() => {})
    await expect.poll(async () => (await sandbox.usage()).processes, { timeout: 30_000 }).toBeGreaterThan(20)
    expect((await sandbox.usage()).processes).toBeLessThanOrEqual(64)
    await isFine(neighbour())
    await sandbox.destroy()
    expect(sandbox.state).toBe('destroyed')
  })

  it('may be fewer than the template’s: inside fork fails, outside SPAWN_FAILED', async () => {
    await using sandbox = await pool().createSandbox({ resources: { pids: 8 } })
    const inside = await sandbox.exec('for i in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done; wait')
    expect(inside.stderr).toContain("can't fork")
    const held: { kill(signal: 'SIGKILL'): Promise<boolean> }[] = []
    let failure: unknown
    for (let count = 0; count < 9 && failure === undefined; count++) {
      await sandbox.spawn(['sleep', '100']).then(
        (process) => held.push(process),
        (error: unknown) => {
          failure = error
        },
      )
    }
    expect(failure).toMatchObject({ code: 'SPAWN_FAILED', retryable: true })
    expect((failure as Error).message).toContain('EAGAIN')
    for (const process of held) await process.kill('SIGKILL')
    await expect.poll(async () => (await sandbox.exec('true').catch(() => undefined))?.ok).toBe(true)
  })
})

describe('the processor', () => {
  it('may be a part of one: two that want all of it get by their shares', async () => {
    await using sandbox = await pool().createSandbox({ resources: { vcpus: 0.2 } })
    const before = await sandbox.usage()
    const startedAt = performance.now()
    await sandbox.exec('while :; do :; done', { timeoutMs: 3_000, killGraceMs: 0 })
    const share = ((await sandbox.usage()).cpuMs - before.cpuMs) / (performance.now() - startedAt)
    expect(share).toBeLessThan(0.4)
  })
})

describe('limits that do not fit', () => {
  it('are refused by the template’s values, and by what is in use', async () => {
    await expect(pool().createSandbox({ resources: { memoryMib: 161 } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining("template 'base' has 160"),
    })
    await pool().updateTemplate('full', { resources: { memoryMib: 160 }, setup: ['head -c 8388608 /dev/zero > /srv/8mib'] })
    await expect(pool().createSandbox({ template: 'full', resources: { diskMib: 4 } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('EBUSY'),
    })
  })
})
