/** A command runs in a real microVM as it would in a shell, and its result says all of how it ended. */

import { describe, expect, it } from 'vitest'
import { CommandExitError } from '../../src/index.ts'
import { poolOfThisFile, running, sandboxOfThisFile } from './vm.ts'

const pool = poolOfThisFile()
const sandbox = sandboxOfThisFile(pool, {
  env: { GREETING: 'hello', GONE: 'x' },
  files: { 'notes/a.txt': 'from the host\n', '/tmp/b': new Uint8Array([0, 255]) },
})

describe('a result', () => {
  it('keeps stdout, stderr and their order apart and together', async () => {
    const result = await sandbox().exec('echo out; echo err >&2; sleep 0.1; echo again')
    expect(result).toMatchObject({
      exitCode: 0,
      ok: true,
      signal: null,
      stdout: 'out\nagain\n',
      stderr: 'err\n',
      timedOut: false,
      truncated: false,
    })
    expect(result.output.split('\n').sort()).toEqual(['', 'again', 'err', 'out'])
    expect(result.output.endsWith('again\n')).toBe(true)
  })

  it('resolves with any exit code, and rejects only when asked to', async () => {
    expect(await sandbox().exec('exit 42')).toMatchObject({ exitCode: 42, ok: false, signal: null })
    const failure = await sandbox()
      .exec('echo because >&2; exit 1', { check: true })
      .catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(CommandExitError)
    expect((failure as CommandExitError).result.stderr).toBe('because\n')
    expect((failure as CommandExitError).message).toContain('because')
  })

  it('names the signal that ended the process', async () => {
    expect(await sandbox().exec('kill -SEGV $$')).toMatchObject({ exitCode: 139, signal: 'SIGSEGV', ok: false })
    expect(await sandbox().exec('kill -KILL $$')).toMatchObject({ exitCode: 137, signal: 'SIGKILL', oomKilled: false })
  })
})

describe('a command', () => {
  it('as an array runs without a shell: nothing in it is expanded', async () => {
    expect((await sandbox().exec(['echo', '$HOME', '*', "it's; exit 1"])).stdout).toBe("$HOME * it's; exit 1\n")
  })

  it('runs in the sandbox’s environment with its own on top', async () => {
    const { stdout } = await sandbox().exec('echo $GREETING-$GONE-$NEW-$USER-$HOME', { env: { NEW: 'new', GONE: undefined } })
    expect(stdout).toBe('hello--new-user-/home/user\n')
  })

  it('runs where and as whom it is told', async () => {
    expect((await sandbox().exec('pwd; id -un')).stdout).toBe('/home/user\nuser\n')
    expect((await sandbox().exec('pwd; id -u; id -g', { cwd: '/etc', user: 'root' })).stdout).toBe('/etc\n0\n0\n')
    expect((await sandbox().exec('pwd', { cwd: 'notes' })).stdout).toBe('/home/user/notes\n')
    expect((await sandbox().exec('id -u; id -g', { user: '1234:5678' })).stdout).toBe('1234\n5678\n')
  })

  it('finds the files that the sandbox was created with, owned by its user', async () => {
    const { stdout } = await sandbox().exec('cat notes/a.txt; stat -c "%U %a" notes notes/a.txt; od -An -tu1 /tmp/b')
    expect(stdout.replace(/ +/g, ' ')).toBe('from the host\nuser 755\nuser 644\n 0 255\n')
  })

  it.each([
    [['no-such-program'], {}, /no-such-program/],
    [['true'], { user: 'nobody-knows' }, /nobody-knows/],
    [['true'], { cwd: '/no/such/place' }, /\/no\/such\/place/],
    [['/etc/passwd'], {}, /EACCES/],
  ])('that cannot be started says why: %j %j', async (command, options, words) => {
    const error = await sandbox()
      .exec(command, options)
      .catch((failure: unknown) => failure)
    expect(error).toMatchObject({ code: 'SPAWN_FAILED', sandboxId: sandbox().id })
    expect((error as Error).message).toMatch(words)
  })

  it('does not wait for a background child, whether that holds the output or not', async () => {
    const holding = await sandbox().exec('echo started; sleep 300 & exit 0')
    const silent = await sandbox().exec('sleep 300 </dev/null >/dev/null 2>&1 & exit 0')
    expect(holding).toMatchObject({ exitCode: 0, stdout: 'started\n' })
    expect(silent).toMatchObject({ exitCode: 0 })
    expect(await running(sandbox(), 'sleep 300')).toBe(2)
    await sandbox().exec('killall sleep')
  })

  it('gets its own answer when twenty run at once', async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => sandbox().exec(`echo ${i}; exit ${i}`)))
    expect(results.map(({ stdout, exitCode }) => [stdout, exitCode])).toEqual(Array.from({ length: 20 }, (_, i) => [`${i}\n`, i]))
  })
})

describe('an end by force', () => {
  it('at the time limit keeps what was printed and leaves nothing of the group', async () => {
    const result = await sandbox().exec('echo before; sleep 301 & sleep 301', { timeoutMs: 300 })
    expect(result).toMatchObject({ timedOut: true, ok: false, stdout: 'before\n', signal: 'SIGTERM', exitCode: 143 })
    expect(await running(sandbox(), 'sleep 301')).toBe(0)
  })

  it('reaches a process that ignores SIGTERM', async () => {
    const result = await sandbox().exec('trap "" TERM; echo deaf; while :; do sleep 0.05; done', {
      timeoutMs: 200,
      killGraceMs: 200,
    })
    expect(result).toMatchObject({ timedOut: true, stdout: 'deaf\n', signal: 'SIGKILL' })
  })

  it('by a signal rejects with its reason once the group is gone', async () => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const call = sandbox().exec('echo up; sleep 302', { signal: controller.signal, onStdout: () => controller.abort(reason) })
    await expect(call).rejects.toBe(reason)
    expect(await running(sandbox(), 'sleep 302')).toBe(0)
  })
})
