import { expect, test } from 'vitest'
import { SandboxGoneError } from '../../src/index.ts'
import { createFakePool } from '../../src/testing/index.ts'

test('a call after destroy says SANDBOX_GONE at once', async () => {
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox()
  const destroying = sandbox.destroy()
  expect(sandbox.state).toBe('destroying')
  const failure = await sandbox.exec('true').catch((error) => error)
  expect(failure).toBeInstanceOf(SandboxGoneError)
  expect(failure).toMatchObject({
    code: 'SANDBOX_GONE',
    reason: 'requested',
    consoleTail: '',
    sandboxId: sandbox.id,
    retryable: false,
  })
  // At once: the destruction has not even ended.
  expect(sandbox.state).toBe('destroying')
  await destroying
  expect(sandbox.state).toBe('destroyed')
  await expect(sandbox.spawn('true')).rejects.toMatchObject({ code: 'SANDBOX_GONE', reason: 'requested' })
  expect(() => sandbox.extendTimeout(1)).toThrow(SandboxGoneError)
  expect(sandbox.info().state).toBe('destroyed')
})

test('a crash ends what runs with SANDBOX_GONE, which carries the end of the console', async () => {
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox()
  const ends: unknown[] = []
  const states: string[] = []
  sandbox.on('destroyed', (reason) => void ends.push(reason)).on('state', (state) => void states.push(state))
  const running = [
    sandbox.exec('sleep infinity'),
    sandbox.exec('cat', {
      stdin: (async function* () {
        await new Promise(() => {})
        yield ''
      })(),
    }),
  ]
  const process = await sandbox.spawn('sleep infinity')
  pool.guestOf(sandbox).crash('\u001b[31mKernel panic - not syncing: it broke\u001b[0m\r\n')
  for (const call of [...running, process.wait()]) {
    const failure = await call.catch((error) => error)
    expect(failure).toBeInstanceOf(SandboxGoneError)
    expect(failure).toMatchObject({ reason: 'crash', sandboxId: sandbox.id })
    expect(failure.consoleTail).toMatch(/Kernel panic - not syncing: it broke$/)
    expect(failure.message).toContain('Kernel panic - not syncing: it broke')
  }
  await expect(sandbox.exec('true')).rejects.toMatchObject({ code: 'SANDBOX_GONE', reason: 'crash' })
  expect(ends).toEqual(['crash'])
  expect(states).toEqual(['crashed'])
  await sandbox.destroy()
  expect(sandbox.state).toBe('crashed')
})

test('a guest that hangs is unreachable by nobody: destroy ends it', async () => {
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox()
  pool.guestOf(sandbox).hang()
  const running = sandbox.exec('true').catch((error) => error)
  await sandbox.destroy()
  expect(await running).toMatchObject({ code: 'SANDBOX_GONE', reason: 'requested' })
})

test('await using destroys', async () => {
  await using pool = createFakePool()
  {
    await using sandbox = await pool.createSandbox()
    expect(sandbox.state).toBe('running')
  }
  expect(pool.guests).toEqual([])
})

test('a time limit ends the call even where the guest does not answer', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const running = sandbox.exec(['sleep', '60'], { timeoutMs: 100, killGraceMs: 0 })
  await sandbox.exec(['true'])
  pool.guestOf(sandbox).hang()
  await expect(running).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE', sandboxId: sandbox.id })
  await expect(sandbox.exec(['true'], { timeoutMs: 100 })).rejects.toMatchObject({ code: 'TIMEOUT', sandboxId: sandbox.id })
})
