import { expect, test } from 'vitest'
import { createFakePool, type FakeProgram } from '../../../src/testing/index.ts'

const mib = 1_048_576
const text = (chunks: Uint8Array[]): string => Buffer.concat(chunks).toString()
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50))

/** Prints a line for each that it is given: to stderr when the line begins with `!`. */
const repeat: FakeProgram = async ({ stdin, stdout, stderr }) => {
  let rest = ''
  for await (const chunk of stdin) {
    const lines = (rest + Buffer.from(chunk).toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) await (line.startsWith('!') ? stderr : stdout).write(`${line}\n`)
  }
  return 7
}
/** Prints as many MiB as it is told, in lines of 64 bytes that say where they are. */
const count: FakeProgram = async ({ argv, stdout }) => {
  for (let at = 0; at < Number(argv[1]) * mib; at += 65_536) {
    let block = ''
    for (let line = at; line < at + 65_536; line += 64) block += `${String(line).padStart(63)}\n`
    await stdout.write(block)
  }
  return 0
}
const programs = { repeat, count }

test('a detached process is found again, and reading it begins with what it printed meanwhile, in order', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  const process = await sandbox.spawn(['repeat'], { stdin: 'pipe' })
  const { id } = process
  const writer = process.stdin.getWriter()
  process.detach()
  for (const line of ['a\n', '!b\n', 'c\n']) {
    await writer.write(line)
    await settled()
  }
  const again = sandbox.processes.get(id)
  expect(again).toBe(process)
  const heard: string[] = []
  for await (const { stream, data } of again ?? []) {
    heard.push(`${stream} ${Buffer.from(data)}`)
    if (heard.length === 3) await writer.write('d\n')
    if (heard.length === 4) break
  }
  expect(heard).toEqual(['stdout a\n', 'stderr b\n'.replace('b', '!b'), 'stdout c\n', 'stdout d\n'])
  await writer.write('e\n')
  await writer.close()
  expect(await process.wait()).toMatchObject({ exitCode: 7, stdout: 'a\nc\nd\ne\n', stderr: '!b\n' })
  const rest: Uint8Array[] = []
  for await (const { data } of process) rest.push(data)
  expect(text(rest)).toBe('e\n')
  expect(process.missedBytes).toBe(0)
  expect(sandbox.processes.get(id)).toBeUndefined()
})

test('more than 256 KiB drops the oldest, is counted, and leaves the result alone', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  const process = await sandbox.spawn(['count', '4'], { maxBufferBytes: 8 * mib })
  process.detach()
  expect((await process.wait()).stdout.length).toBe(4 * mib)
  const kept: Uint8Array[] = []
  for await (const { data } of process) kept.push(data)
  expect(process.missedBytes).toBe(4 * mib - Buffer.concat(kept).length)
  expect(Buffer.concat(kept).length).toBeGreaterThan(128 * 1_024)
  expect(Buffer.concat(kept).length).toBeLessThanOrEqual(256 * 1_024)
  expect(text(kept).endsWith(`${String(4 * mib - 64).padStart(63)}\n`)).toBe(true)
})

test('who reads again sets the pace until they leave', async () => {
  let written = 0
  const yes: FakeProgram = async ({ stdout }) => {
    for (;;) {
      await stdout.write(Buffer.alloc(65_536))
      written += 65_536
    }
  }
  await using pool = createFakePool({ programs: { yes } })
  await using sandbox = await pool.createSandbox()
  const process = await sandbox.spawn(['yes'], { retain: 'none' })
  process.detach()
  await expect.poll(() => written).toBeGreaterThan(2 * mib)
  const reader = process.stdout.getReader()
  await reader.read()
  let before = -1
  while (before !== written) {
    before = written
    await settled()
  }
  expect(process.missedBytes).toBeGreaterThan(0)
  const reading = process[Symbol.asyncIterator]()
  await reading.next()
  // Both have to leave before it runs on by itself.
  await reader.cancel()
  await reading.return?.()
  await expect.poll(() => written - before).toBeGreaterThan(2 * mib)
})

test('letting go ends every reading at once, and what was on its way is for the next', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  const process = await sandbox.spawn(['repeat'], { stdin: 'pipe' })
  const writer = process.stdin.getWriter()
  const first = process.stdout.getReader()
  const pending = first.read()
  process.detach()
  expect((await pending).done).toBe(true)
  await writer.write('one\n')
  const second = process.stdout.getReader()
  expect(Buffer.from((await second.read()).value ?? []).toString()).toBe('one\n')
  const waiting = second.read()
  process.detach()
  expect((await waiting).done).toBe(true)
  await writer.write('two\n')
  expect(Buffer.from((await process.stdout.getReader().read()).value ?? []).toString()).toBe('two\n')
})

test('one that was waited for can be let go of too', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  const process = await sandbox.spawn(['repeat'], { stdin: 'pipe' })
  const result = process.wait()
  const writer = process.stdin.getWriter()
  await writer.write('before\n')
  await settled()
  process.detach()
  await writer.write('after\n')
  await writer.close()
  expect((await result).stdout).toBe('before\nafter\n')
  const heard: Uint8Array[] = []
  for await (const { data } of process) heard.push(data)
  expect(text(heard)).toBe('after\n')
})

test('a crash reaches whoever reads a detached process', async () => {
  await using pool = createFakePool({ programs })
  const sandbox = await pool.createSandbox()
  const process = await sandbox.spawn(['sleep', 'infinity'])
  process.detach()
  const reading = process[Symbol.asyncIterator]().next()
  reading.catch(() => {})
  await settled()
  pool.guestOf(sandbox).crash()
  await expect(reading).rejects.toMatchObject({ code: 'SANDBOX_GONE', reason: 'crash' })
})

test('a detached process does not keep its sandbox from being idle; a running one does', async () => {
  await using pool = createFakePool({ programs })
  const sandbox = await pool.createSandbox({ idleTimeoutMs: 100 })
  const process = await sandbox.spawn(['sleep', 'infinity'])
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(sandbox.state).toBe('running')
  process.detach()
  await expect.poll(() => sandbox.state).toBe('destroyed')
  await expect(process.wait()).rejects.toMatchObject({ code: 'SANDBOX_GONE', reason: 'idle' })
})
