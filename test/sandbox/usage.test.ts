import { expect, test } from 'vitest'
import { createFakePool } from '../../src/testing/index.ts'

const mib = 1_048_576

test('what a guest measures is told in the units of the API', async () => {
  await using pool = createFakePool({ templates: { base: { resources: { memoryMib: 128, diskMib: 40, pids: 20 } } } })
  await using sandbox = await pool.createSandbox({ files: { 'a.bin': new Uint8Array(1_000) } })
  const process = await sandbox.spawn('sleep infinity')
  const guest = pool.guestOf(sandbox)
  Object.assign(guest.load, { cpuMs: 12.5, memoryBytes: 5 * mib, oomKills: 1 })
  const usage = await sandbox.usage()
  expect(usage).toEqual({
    cpuMs: 12.5,
    memoryBytes: 5 * mib + 1_000,
    memoryLimitBytes: 96 * mib,
    diskBytes: 1_000,
    diskLimitBytes: 40 * mib,
    processes: 1,
    oomKills: 1,
    uptimeMs: expect.any(Number),
  })
  expect(usage.uptimeMs).toBeGreaterThan(0)
  await process.kill('SIGKILL')
  await process.wait()
  const later = await sandbox.usage()
  expect(later.processes).toBe(0)
  expect(later.uptimeMs).toBeGreaterThan(usage.uptimeMs)
})

test('a guest that does not answer is given up, and one that is gone is gone', async () => {
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox()
  pool.guestOf(sandbox).hang()
  await expect(sandbox.usage({ timeoutMs: 20 })).rejects.toMatchObject({ code: 'TIMEOUT', sandboxId: sandbox.id })
  const enough = new AbortController()
  setTimeout(() => enough.abort(new Error('enough')), 20)
  for (let call = 0; call < 2; call++) await expect(sandbox.usage({ signal: enough.signal })).rejects.toThrow('enough')
  await expect(sandbox.usage({ timeout: 20 } as object)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  const asking = sandbox.usage().catch((error: unknown) => error)
  await sandbox.destroy()
  expect(await asking).toMatchObject({ code: 'SANDBOX_GONE', reason: 'requested' })
  await expect(sandbox.usage()).rejects.toMatchObject({ code: 'SANDBOX_GONE' })
})

test('a hundred questions at once are all answered', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const answers = await Promise.all(Array.from({ length: 100 }, () => sandbox.usage()))
  expect(answers).toHaveLength(100)
})

test('asking does not keep an idle sandbox, nor does waiting for a port', async () => {
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox({ idleTimeoutMs: 150 })
  const waiting = sandbox.ports.waitFor(80).catch((error: unknown) => error)
  const asking = setInterval(() => void sandbox.usage().catch(() => {}), 20)
  await expect.poll(() => sandbox.state).toBe('destroyed')
  clearInterval(asking)
  expect(await waiting).toMatchObject({ code: 'SANDBOX_GONE', reason: 'idle' })
})
