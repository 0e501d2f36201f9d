/** A pool of real microVMs: warm stock, room, losses, templates that change. What is decided how is tested in test/pool. */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createPool, type Pool, type SandboxInfo } from '../../src/index.ts'
import { eventually, vmProcesses } from './vm.ts'

const small = { resources: { memoryMib: 128 } }

const kill = (pids: readonly number[]): void => {
  for (const pid of pids) process.kill(pid, 'SIGKILL')
}

describe('warm stock', () => {
  it('serves at once, is filled up again, and nothing that has served serves again', async () => {
    await using pool = await createPool({ isolation: 'emulated', templates: { base: { ...small, warm: 2 } } })
    const ids = new Set<string>()
    for (let turn = 0; turn < 4; turn++) {
      await pool.ready()
      const sandbox = await pool.createSandbox({ env: { TURN: String(turn) } })
      expect(sandbox.info().origin).toBe('warm')
      expect((await sandbox.exec('echo $TURN; ls /tmp; echo $TURN >/tmp/turn')).stdout).toBe(`${turn}\n`)
      ids.add(sandbox.id)
      await sandbox.destroy()
    }
    expect(ids.size).toBe(4)
    expect(pool.stats()).toMatchObject({ hits: 4, misses: 0, bootFailures: 0 })
    await pool.close()
    expect(vmProcesses()).toEqual([])
  })

  it('takes no processor time while it waits', async () => {
    await using pool = await createPool({ isolation: 'emulated', templates: { base: { ...small, warm: 1 } } })
    await pool.ready()
    await pool.resize('base', 1)
    // Stopped by a signal, as the system shows it once each of its threads has heard of it.
    const states = () => vmProcesses().map((pid) => /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
    await expect.poll(states).toContain('T')
  })
})

it('a hundred creates against a stock of four and room for eight are all served', async () => {
  await using pool = await createPool({
    isolation: 'emulated',
    templates: { base: { ...small, warm: 4 } },
    budget: { sandboxes: 8 },
  })
  await pool.ready()
  let most = 0
  const served: SandboxInfo[] = []
  await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      await using sandbox = await pool.createSandbox({ tenant: `tenant ${index % 5}` })
      most = Math.max(most, pool.listSandboxes().length)
      expect((await sandbox.exec(['true'])).exitCode).toBe(0)
      served.push(sandbox.info())
    }),
  )
  expect(served).toHaveLength(100)
  expect(new Set(served.map(({ id }) => id)).size).toBe(100)
  expect(most).toBeLessThanOrEqual(8)
  expect(pool.stats()).toMatchObject({ assigned: 0, waiting: 0, bootFailures: 0 })
  // Fair: of the first fifty that were served, every tenant had its fifth, give or take what was being handed out.
  const early = served.slice(0, 50)
  for (let tenant = 0; tenant < 5; tenant++) {
    const share = early.filter((info) => info.tenant === `tenant ${tenant}`).length
    expect(Math.abs(share - 10)).toBeLessThanOrEqual(3)
  }
})

describe('a QEMU that is killed', () => {
  /** A create while every QEMU there is is killed again and again for a moment. */
  async function createUnderFire(pool: Pool, ms: number): Promise<string> {
    const creating = pool.createSandbox().then(
      (sandbox) =>
        sandbox.exec(['true']).then(
          () => 'served',
          (error) => String(error.code),
        ),
      (error) => String(error.code),
    )
    const until = performance.now() + ms
    while (performance.now() < until) {
      kill(vmProcesses())
      await new Promise((resolve) => setTimeout(resolve, 15))
    }
    return creating
  }

  it('in stock is replaced, and a create is served all the same', async () => {
    await using pool = await createPool({ isolation: 'emulated', templates: { base: { ...small, warm: 2 } } })
    await pool.ready()
    kill(vmProcesses())
    await using sandbox = await pool.createSandbox()
    expect((await sandbox.exec(['true'])).exitCode).toBe(0)
    await pool.ready()
    const { failures } = pool.stats()
    expect((failures['warm-ended'] ?? 0) + (failures.wake ?? 0)).toBeGreaterThanOrEqual(2)
  })

  it('at any step of its making leaves a create that is served or told why, and a stock that recovers', async () => {
    await using pool = await createPool({ isolation: 'emulated', templates: { base: { ...small, warm: 1 } } })
    await pool.ready()
    for (const ms of [30, 60, 120, 240]) {
      expect(['served', 'BOOT_FAILED', 'SANDBOX_GONE']).toContain(await createUnderFire(pool, ms))
      for (const { id } of pool.listSandboxes()) await pool.destroySandbox(id)
    }
    await pool.ready({ timeoutMs: 60_000 })
    await using sandbox = await pool.createSandbox()
    expect((await sandbox.exec(['true'])).exitCode).toBe(0)
  })
})

it('a template is replaced without a failed create', async () => {
  const version = (text: string) => ({ ...small, warm: 1, setup: [`echo ${text} >/etc/version`] })
  await using pool = await createPool({ isolation: 'emulated', templates: { app: version('one') } })
  await pool.ready()
  const seen: string[] = []
  let updated = false
  const load = (async () => {
    while (!updated) {
      await using sandbox = await pool.createSandbox({ template: 'app' })
      seen.push((await sandbox.exec('cat /etc/version')).stdout.trim())
    }
  })()
  const info = await pool.updateTemplate('app', version('two'))
  updated = true
  await load
  await using sandbox = await pool.createSandbox({ template: 'app' })
  expect((await sandbox.exec('cat /etc/version')).stdout).toBe('two\n')
  expect(info.digest).toMatch(/^[0-9a-f]{64}$/)
  expect(seen[0]).toBe('one')
  expect([...seen].sort()).toEqual(seen)
})

describe('what a template brings along', () => {
  const hook = '/etc/warmcell/clone.d/10-note'
  const setup = (script: string): string[] => [
    `mkdir -p ${hook.slice(0, hook.lastIndexOf('/'))}`,
    `printf '#!/bin/sh\\n${script}\\n' >${hook} && chmod 755 ${hook}`,
  ]

  it('is told that it has been cloned, before the tenant can see it', async () => {
    await using pool = await createPool({
      isolation: 'emulated',
      templates: { base: { ...small, setup: setup('echo $WARMCELL_GENERATION_ID >/srv/noted') } },
    })
    const read = 'cat /srv/noted /run/warmcell/generation-id'
    const noted = await Promise.all(
      [0, 1].map(async () => {
        await using sandbox = await pool.createSandbox()
        return (await sandbox.exec(read)).stdout.trim().split('\n')
      }),
    )
    for (const [told, found] of noted) expect(told).toBe(found)
    expect(noted[0]?.[0]).not.toBe(noted[1]?.[0])
  })

  it('and fails when it is told, fails the clone, in its own words', async () => {
    await using pool = await createPool({
      isolation: 'emulated',
      templates: { base: { ...small, setup: setup('echo no seed; exit 3') } },
    })
    await expect(pool.createSandbox()).rejects.toMatchObject({
      code: 'BOOT_FAILED',
      message: expect.stringMatching(/10-note.*no seed/s),
    })
    expect(await eventually(() => vmProcesses().length === 0, 2_000)).toBe(true)
  })
})
