import { expect, test } from 'vitest'
import { CommandExitError } from '../../../src/index.ts'
import { createFakePool, type FakeProgram } from '../../../src/testing/index.ts'

const flood: FakeProgram = async ({ argv, stdout }) => {
  const chunk = Buffer.alloc(65_536)
  for (let sent = 0, total = Number(argv[1]) * 1_048_576; sent < total; sent += chunk.length) {
    await stdout.write(chunk.fill(97 + ((sent / chunk.length) % 26)))
  }
  await stdout.write('the end')
  return 0
}
const programs = { flood }

test('any exit code resolves, and stdout and stderr come apart', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  expect(await sandbox.exec('echo out; echo err >&2; exit 3')).toMatchObject({
    exitCode: 3,
    signal: null,
    ok: false,
    stdout: 'out\n',
    stderr: 'err\n',
    timedOut: false,
    oomKilled: false,
    truncated: false,
    droppedBytes: 0,
  })
  expect(await sandbox.exec(['true'])).toMatchObject({ exitCode: 0, ok: true, stdout: '', output: '' })
})

test('an array runs without a shell', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  expect((await sandbox.exec(['echo', '$HOME;', 'a  b'])).stdout).toBe('$HOME; a  b\n')
})

test('output holds both streams as they arrived', async () => {
  await using pool = createFakePool({
    programs: {
      turns: async ({ stdout, stderr }) => {
        for (const [stream, text] of [
          [stdout, 'a'],
          [stderr, 'b'],
          [stdout, 'c'],
        ] as const) {
          await stream.write(text)
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
        return 0
      },
    },
  })
  await using sandbox = await pool.createSandbox()
  expect(await sandbox.exec(['turns'])).toMatchObject({ output: 'abc', stdout: 'ac', stderr: 'b' })
})

test('retain head keeps the beginning, none keeps nothing, and both count what they drop', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  const head = await sandbox.exec(['flood', '1'], { maxBufferBytes: 5, retain: 'head' })
  expect(head).toMatchObject({ stdout: 'aaaaa', truncated: true, droppedBytes: 1_048_576 + 2 })
  const none = await sandbox.exec(['flood', '1'], { retain: 'none' })
  expect(none).toMatchObject({ stdout: '', output: '', truncated: true, droppedBytes: 1_048_576 + 7 })
  expect(await sandbox.exec(['true'], { retain: 'none' })).toMatchObject({ truncated: false, droppedBytes: 0 })
})

test('characters are whole in callbacks, in output and where it was cut', async () => {
  const text = 'ä€😀'.repeat(200)
  await using pool = createFakePool({
    programs: {
      drip: async ({ stdout, stderr }) => {
        for (const byte of Buffer.from(text)) {
          await stdout.write(Uint8Array.of(byte))
          await stderr.write(Uint8Array.of(byte))
          await new Promise((resolve) => setImmediate(resolve))
        }
        return 0
      },
    },
  })
  await using sandbox = await pool.createSandbox()
  const pieces: string[] = []
  const whole = await sandbox.exec(['drip'], { onStdout: (piece) => void pieces.push(piece) })
  expect(pieces.join('')).toBe(text)
  expect(whole.stdout).toBe(text)
  expect(whole.output).not.toContain('\ufffd')
  for (const retain of ['head', 'tail'] as const) {
    for (const maxBufferBytes of [1, 2, 3, 10, 11, 12, 13]) {
      const { stdout, output } = await sandbox.exec(['drip'], { retain, maxBufferBytes })
      expect(stdout + output).not.toContain('\ufffd')
      expect(retain === 'head' ? text.startsWith(stdout) : text.endsWith(stdout)).toBe(true)
      expect(Buffer.byteLength(stdout)).toBeGreaterThan(maxBufferBytes - 4)
    }
  }
})

test('an output that ends inside a character is the same in the callbacks and in the result', async () => {
  await using pool = createFakePool({
    programs: {
      cut: async ({ stdout }) => {
        await stdout.write(Uint8Array.of(0x61, 0xe2, 0x82))
        return 0
      },
    },
  })
  await using sandbox = await pool.createSandbox()
  let heard = ''
  const { stdout } = await sandbox.exec(['cut'], {
    onStdout: (text) => {
      heard += text
    },
  })
  expect(stdout).toBe('a\ufffd')
  expect(heard).toBe(stdout)
})

test('check rejects with the result and the last words', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const failure = await sandbox.exec('echo half done; echo cannot go on >&2; exit 7', { check: true }).catch((error) => error)
  expect(failure).toBeInstanceOf(CommandExitError)
  expect(failure).toMatchObject({ code: 'COMMAND_EXIT', retryable: false, sandboxId: sandbox.id })
  expect(failure.message).toContain('exited with code 7. Its last words: cannot go on')
  expect(failure.result).toMatchObject({ exitCode: 7, stdout: 'half done\n' })
  expect(await sandbox.exec('true', { check: true })).toMatchObject({ ok: true })
})

test('a program that is not there is SPAWN_FAILED, and names it', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  await expect(sandbox.exec(['nope'])).rejects.toMatchObject({ code: 'SPAWN_FAILED', message: expect.stringContaining("'nope'") })
  expect(await sandbox.exec('nope')).toMatchObject({ exitCode: 127 })
})

test('a callback that throws ends the command and rejects with its error', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  const bug = new Error('a bug of the caller')
  const failing = sandbox.exec(['flood', '8'], {
    onStdout: () => {
      throw bug
    },
  })
  const beside = sandbox.exec('echo fine')
  await expect(failing).rejects.toBe(bug)
  expect((await beside).stdout).toBe('fine\n')
})
