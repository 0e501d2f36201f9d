import { expect, test } from 'vitest'
import { createFakePool, type FakeProgram } from '../../../src/testing/index.ts'

let written = 0
const yes: FakeProgram = async ({ stdout }) => {
  for (;;) {
    await stdout.write('y\n'.repeat(8_192))
    written += 16_384
  }
}
const lines: FakeProgram = async ({ argv, stdout, stderr }) => {
  for (let line = 0; line < Number(argv[1]); line++) await (line % 2 === 0 ? stdout : stderr).write(`${line}\n`)
  return 0
}
const programs = { yes, lines }
const text = (chunks: Uint8Array[]): string => Buffer.concat(chunks).toString()

test('a process is talked to while it runs', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  await using process = await sandbox.spawn(['cat'], { stdin: 'pipe' })
  expect(process.pid).toBeGreaterThan(0)
  const writer = process.stdin.getWriter()
  const reader = process.stdout.getReader()
  for (const word of ['one', 'two']) {
    await writer.write(word)
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe(word)
  }
  await writer.close()
  expect((await reader.read()).done).toBe(true)
  expect(await process.wait()).toMatchObject({ exitCode: 0, stdout: 'onetwo' })
})

test('each process has an id of its own', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const processes = await Promise.all(Array.from({ length: 5 }, () => sandbox.spawn(['true'])))
  expect(new Set(processes.map(({ id }) => id)).size).toBe(5)
  await Promise.all(processes.map((process) => process.wait()))
})

test('output that nobody reads holds the process back', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  written = 0
  await using process = await sandbox.spawn(['yes'])
  await expect.poll(() => written).toBeGreaterThan(0)
  let before = -1
  while (before !== written) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(written).toBeLessThan(1_048_576)
  const reader = process.stdout.getReader()
  for (let read = 0; read < 2 * 1_048_576; ) read += (await reader.read()).value?.length ?? 0
  expect(written).toBeGreaterThan(1_048_576)
})

test('a slow reader of one process does not hold back another', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  await using _held = await sandbox.spawn(['yes'])
  const { stdout } = await sandbox.exec(['cat'], { stdin: Buffer.alloc(4 * 1_048_576) })
  expect(stdout.length).toBe(4 * 1_048_576)
})

test('iterating gives the chunks of both streams, to the end', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  await using process = await sandbox.spawn(['lines', '10'])
  const heard = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] }
  for await (const { stream, data } of process) heard[stream].push(data)
  expect(text(heard.stdout)).toBe('0\n2\n4\n6\n8\n')
  expect(text(heard.stderr)).toBe('1\n3\n5\n7\n9\n')
  expect(await process.wait()).toMatchObject({ stdout: '0\n2\n4\n6\n8\n', stderr: '1\n3\n5\n7\n9\n' })
})

test("what came while nobody looped over the output is the next one's, whoever that is", async () => {
  for (const next of ['loop', 'stream', 'detached'] as const) {
    await using pool = createFakePool({ programs })
    await using sandbox = await pool.createSandbox()
    await using process = await sandbox.spawn(['cat'], { stdin: 'pipe' })
    const writer = process.stdin.getWriter()
    await writer.write('one')
    for await (const { data } of process) {
      expect(Buffer.from(data).toString()).toBe('one')
      break
    }
    await writer.write('two')
    await new Promise((resolve) => setTimeout(resolve, 20))
    if (next === 'detached') process.detach()
    await writer.close()
    const rest: Uint8Array[] = []
    if (next === 'stream') for await (const data of process.stdout) rest.push(data)
    else for await (const { data } of process) rest.push(data)
    expect(text(rest), next).toBe('two')
    expect((await process.wait()).stdout, next).toBe('onetwo')
  }
})

test('who waits takes nothing from who loops over the output, and the rest once they have left', async () => {
  for (const leaveAfter of [Number.POSITIVE_INFINITY, 3]) {
    await using pool = createFakePool({ programs })
    await using sandbox = await pool.createSandbox()
    await using process = await sandbox.spawn(['cat'], { stdin: 'pipe' })
    const waiting = process.wait()
    const writer = process.stdin.getWriter()
    await writer.write('0')
    const seen: string[] = []
    for await (const { data } of process) {
      seen.push(Buffer.from(data).toString())
      if (seen.length === leaveAfter) break
      if (seen.length === 6) await writer.close()
      else await writer.write(String(seen.length))
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    if (seen.length === leaveAfter) await writer.close()
    expect(seen).toEqual(['0', '1', '2', '3', '4', '5'].slice(0, leaveAfter))
    expect((await waiting).stdout).toBe(seen.join(''))
  }
})

test('wait says the same however often, before and after the end, and after reading', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  const process = await sandbox.spawn(['lines', '4'])
  const early = process.wait()
  const chunks: Uint8Array[] = []
  for await (const chunk of process.stdout as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk)
  expect(text(chunks)).toBe('0\n2\n')
  expect(await process.wait()).toEqual(await early)
  expect(await early).toMatchObject({ stdout: '0\n2\n', stderr: '1\n3\n' })
})

test('a wait that is given up leaves the process alone', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const process = await sandbox.spawn('sleep 0.1; echo done')
  await expect(process.wait({ timeoutMs: 10 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  await expect(process.wait({ signal: AbortSignal.abort('no') })).rejects.toBe('no')
  await expect(process.wait({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect((await process.wait()).stdout).toBe('done\n')
})

test('leaving a loop over the output lets the rest be waited for', async () => {
  await using pool = createFakePool({
    programs: {
      ...programs,
      much: async ({ stdout }) => {
        for (let i = 0; i < 64; i++) await stdout.write(Buffer.alloc(65_536))
        return 5
      },
    },
  })
  await using sandbox = await pool.createSandbox()
  for (const leave of ['process', 'stream', 'cancel'] as const) {
    const process = await sandbox.spawn(['much'])
    const waiting = leave === 'stream' ? process.wait() : undefined
    if (leave === 'process') for await (const _ of process) break
    else if (leave === 'stream') for await (const _ of process.stdout as unknown as AsyncIterable<Uint8Array>) break
    else {
      const reader = process.stdout.getReader()
      await reader.read()
      await reader.cancel()
    }
    expect(await (waiting ?? process.wait())).toMatchObject({ exitCode: 5 })
  }
})

test('a crash reaches whoever reads as SANDBOX_GONE, and a loop that was left as nothing', async () => {
  await using pool = createFakePool({ programs })
  const sandbox = await pool.createSandbox()
  const [left, looped, read] = await Promise.all([
    sandbox.spawn('echo a; sleep infinity'),
    sandbox.spawn('sleep infinity'),
    sandbox.spawn('sleep infinity'),
  ])
  for await (const _ of left) break
  const looping = (async () => {
    for await (const _ of looped);
  })().catch((error) => error)
  const reading = read.stdout
    .getReader()
    .read()
    .catch((error) => error)
  await new Promise((resolve) => setImmediate(resolve))
  pool.guestOf(sandbox).crash()
  expect(await looping).toMatchObject({ code: 'SANDBOX_GONE', reason: 'crash' })
  expect(await reading).toMatchObject({ code: 'SANDBOX_GONE', reason: 'crash' })
})

test('kill sends the signal it is told, and says whether anybody was there', async () => {
  await using pool = createFakePool({
    programs: {
      handles: async ({ onSignal, stdout, signal }) => {
        onSignal('SIGUSR1', () => void stdout.write('usr1'))
        await stdout.write('ready ')
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        return 0
      },
    },
  })
  await using sandbox = await pool.createSandbox()
  const process = await sandbox.spawn(['handles'])
  expect(await process.kill('SIGUSR1')).toBe(true)
  expect(await process.kill('SIGWINCH')).toBe(true)
  await expect(process.kill('SIGNOPE')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(await process.kill()).toBe(true)
  expect(await process.wait()).toMatchObject({ stdout: 'ready usr1', signal: 'SIGTERM', exitCode: 143 })
  expect(await process.kill('SIGKILL')).toBe(false)
})

test('disposing kills; what was detached lives on and prints into nothing', async () => {
  const ended: string[] = []
  const waits: FakeProgram = ({ signal }) =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        ended.push(String(signal.reason))
        resolve(0)
      })
    })
  await using pool = createFakePool({ programs: { ...programs, waits } })
  await using sandbox = await pool.createSandbox()
  const guest = pool.guestOf(sandbox)
  let waiting: Promise<unknown>
  {
    await using process = await sandbox.spawn(['waits'])
    waiting = process.wait().catch((error) => error)
  }
  expect(await waiting).toMatchObject({ code: 'GUEST_UNREACHABLE', message: expect.stringContaining('abandoned') })
  await expect.poll(() => ended).toEqual(['Error: the process was ended by SIGKILL'])
  written = 0
  {
    await using process = await sandbox.spawn(['yes'])
    process.detach()
  }
  await expect.poll(() => written).toBeGreaterThan(4 * 1_048_576)
  expect(guest.processesStarted).toBe(2)
})

test('a wait that was given up before it began leaves no failure to nobody', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  {
    await using process = await sandbox.spawn(['sleep', '60'])
    await expect(process.wait({ signal: AbortSignal.abort('too late') })).rejects.toBe('too late')
  }
  // A rejection that nobody handles fails the run.
  await new Promise((resolve) => setTimeout(resolve, 10))
})

test('the timeout and the signal of a spawned process end it', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  const late = await sandbox.spawn(['yes'], { timeoutMs: 30, retain: 'none' })
  expect(await late.wait()).toMatchObject({ timedOut: true, signal: 'SIGTERM', stdout: '' })
  const abort = new AbortController()
  const aborted = await sandbox.spawn(['yes'], { signal: abort.signal })
  abort.abort('enough')
  await expect(aborted.wait()).rejects.toBe('enough')
})

test('stdin is closed from the start unless asked for', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const process = await sandbox.spawn(['cat'])
  expect(await process.wait()).toMatchObject({ exitCode: 0, stdout: '' })
  await expect(process.stdin.getWriter().write('late')).rejects.toThrow()
})

const wrong: [string, unknown, object, string][] = [
  ['an empty command', '', {}, 'an empty command'],
  ['an empty list', [], {}, 'its argument'],
  ['a NUL', ['echo', 'a\0b'], {}, 'NUL'],
  ['a number', 7, {}, 'expected a command'],
  ['an unknown option', 'true', { shell: true }, 'shell'],
  ['a negative timeout', 'true', { timeoutMs: -1 }, "option 'timeoutMs'"],
  ['an endless timeout', 'true', { timeoutMs: Number.POSITIVE_INFINITY }, "option 'timeoutMs'"],
  ['half a byte', 'true', { maxBufferBytes: 0.5 }, 'expected a whole number of bytes from 0 to'],
  ['a way to retain that does not exist', 'true', { retain: 'middle' }, "expected 'head', 'tail' or 'none'"],
  ['a callback that is none', 'true', { onStdout: 'print' }, 'expected a function'],
  ['an input that is none', 'true', { stdin: 7 }, 'expected a string, a Uint8Array or an AsyncIterable of them'],
  ['options that are null', 'true', null as unknown as object, 'its argument'],
]
test.each(wrong)('exec refuses %s before anything is started', async (_, command, options, message) => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  await expect(sandbox.exec(command as string, options)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining(message),
  })
  expect(pool.guestOf(sandbox).processesStarted).toBe(0)
})

test('spawn refuses what only exec knows', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  for (const options of [{ check: true }, { onStdout: () => {} }, { stdin: 'text' }]) {
    await expect(sandbox.spawn('true', options as object)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  }
})
