import { expect, test } from 'vitest'
import { createFakePool, type FakeProgram } from '../../../src/testing/index.ts'

const stubborn: FakeProgram = async ({ stdout, onSignal, signal }) => {
  onSignal('SIGTERM', () => void stdout.write('no\n'))
  await stdout.write('ready\n')
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  return 0
}
const yes: FakeProgram = async ({ stdout }) => {
  for (;;) await stdout.write('y\n'.repeat(1_000))
}
const programs = { stubborn, yes }

test('a timeout resolves with what was printed', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  const result = await sandbox.exec('echo begun; sleep infinity', { timeoutMs: 50 })
  expect(result).toMatchObject({ timedOut: true, ok: false, stdout: 'begun\n', signal: 'SIGTERM', exitCode: 143 })
  await expect(sandbox.exec('sleep infinity', { timeoutMs: 20, check: true })).rejects.toMatchObject({
    code: 'COMMAND_EXIT',
    message: expect.stringContaining('ran out of time'),
  })
})

test('a process that ignores SIGTERM gets SIGKILL after the grace', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  const result = await sandbox.exec(['stubborn'], { timeoutMs: 50, killGraceMs: 50.5 })
  expect(result).toMatchObject({ timedOut: true, stdout: 'ready\nno\n', signal: 'SIGKILL', exitCode: 137 })
})

test('a command that prints for ever is ended by its timeout, and keeps the tail', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  const result = await sandbox.exec(['yes'], { timeoutMs: 100, maxBufferBytes: 10 })
  expect(result).toMatchObject({ timedOut: true, stdout: 'y\ny\ny\ny\ny\n', truncated: true })
})

test('a timeout longer than a timer can hold does not fire at once', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  expect(await sandbox.exec('sleep 0.05; echo slept', { timeoutMs: 2 ** 40 })).toMatchObject({
    timedOut: false,
    stdout: 'slept\n',
  })
})

test('an abort rejects with its reason once the process is gone', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  const abort = new AbortController()
  const reason = new Error('changed my mind')
  const heard: string[] = []
  const running = sandbox.exec(['stubborn'], {
    signal: abort.signal,
    killGraceMs: 30,
    onStdout: (text) => {
      heard.push(text)
      abort.abort(reason)
    },
  })
  await expect(running).rejects.toBe(reason)
  // The refusal to end was printed between the abort and the end: the call waited for the end.
  expect(heard.join('')).toBe('ready\nno\n')
})

test('an abort before the call starts nothing', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  await expect(sandbox.exec('true', { signal: AbortSignal.abort('never mind') })).rejects.toBe('never mind')
  expect(pool.guestOf(sandbox).processesStarted).toBe(0)
})

test('20 commands at once each get their own answer', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      sandbox.exec(`cat; echo ${index}; echo ${index} >&2; exit ${index}`, { stdin: `in ${index}\n` }),
    ),
  )
  answers.forEach(({ stdout, stderr, exitCode }, index) => {
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: `in ${index}\n${index}\n`, stderr: `${index}\n`, exitCode: index })
  })
})
