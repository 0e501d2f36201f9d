/** Using a terminal: what is typed, its size, its end. */

import { expect, test } from 'vitest'
import { createFakePool, type FakeProgram } from '../../../src/testing/index.ts'

async function textOf(pty: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of pty) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

test('without a command it is a shell: lines are typed and answered, and its code is the terminal’s', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox({ env: { NAME: 'of the sandbox', UNSET: 'x' } })
  const pty = await sandbox.pty.create({ env: { MORE: 'of the call', UNSET: undefined }, cwd: '/srv' })
  await pty.write('echo $NAME $MORE $UNSET; pwd\rexit 3\r')
  expect(await textOf(pty)).toBe('$ of the sandbox of the call \n/srv\n$ ')
  expect(await pty.wait()).toEqual({ exitCode: 3, signal: null })
  expect(await pty.wait()).toEqual({ exitCode: 3, signal: null })
  expect(sandbox.pty.get(pty.id)).toBeUndefined()
})

test('the program is told of its size, at once and when it changes', async () => {
  const sizes: FakeProgram = async ({ terminal, stdout, onSignal, signal }) => {
    const tell = (): void => void stdout.write(`${terminal?.columns}x${terminal?.rows};`)
    onSignal('SIGWINCH', tell)
    tell()
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    return 0
  }
  await using pool = createFakePool({ programs: { sizes } })
  await using sandbox = await pool.createSandbox()
  const pty = await sandbox.pty.create({ command: ['sizes'], cols: 100, rows: 30 })
  expect([pty.cols, pty.rows]).toEqual([100, 30])
  await pty.resize(1, 65_535)
  expect([pty.cols, pty.rows]).toEqual([1, 65_535])
  for (const [cols, rows] of [
    [0, 1],
    [1, 65_536],
    [1.5, 1],
    [Number.NaN, 1],
  ] as const)
    await expect(pty.resize(cols, rows)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('from 1 to'),
    })
  expect([pty.cols, pty.rows]).toEqual([1, 65_535])
  const looking = pty[Symbol.asyncIterator]()
  for (let seen = ''; !seen.includes('1x65535;'); ) seen += String((await looking.next()).value)
  expect(await pty.kill()).toBe(true)
  expect(await pty.wait()).toEqual({ exitCode: 129, signal: 'SIGHUP' })
  expect((await looking.next()).done).toBe(true)
  await pty.resize(2, 2)
  expect((await sandbox.exec('true')).exitCode).toBe(0)
})

test('Ctrl-C interrupts a program, also one that does not read', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const pty = await sandbox.pty.create({ command: ['sleep', 'infinity'] })
  await pty.write('typed \x03')
  expect(await pty.wait()).toEqual({ exitCode: 130, signal: 'SIGINT' })
})

test('a paste of a MiB arrives whole, at the pace of who reads it', async () => {
  let got = 0
  let read = (): void => {}
  const slow: FakeProgram = async ({ stdin }) => {
    await new Promise<void>((resolve) => {
      read = resolve
    })
    for await (const chunk of stdin) {
      got += chunk.length
      if (got === 1_048_576) return 0
    }
    return 1
  }
  await using pool = createFakePool({ programs: { slow } })
  await using sandbox = await pool.createSandbox()
  const pty = await sandbox.pty.create({ command: ['slow'] })
  let taken = false
  const writing = pty.write('x'.repeat(1_048_576)).then(() => {
    taken = true
  })
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(taken).toBe(false)
  read()
  await writing
  expect(await pty.wait()).toEqual({ exitCode: 0, signal: null })
})

test('what is typed as the program ends is typed for nobody', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const pty = await sandbox.pty.create({ command: ['sleep', 'infinity'] })
  const writing = pty.write('x'.repeat(4 * 1_048_576))
  await pty.kill('SIGKILL')
  await writing
  await pty.write('late')
  expect(await pty.kill('SIGKILL')).toBe(false)
  await expect(pty.write(7 as unknown as string)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('disposing hangs up; a crash and a destroyed sandbox reach everybody', async () => {
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox()
  const [hungUp, crashed] = [await sandbox.pty.create(), await sandbox.pty.create()]
  const looks = textOf(hungUp)
  await hungUp[Symbol.asyncDispose]()
  expect(await looks).toBe('$ ')
  await expect(hungUp.wait()).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' })
  const looking = textOf(crashed).catch((error) => error)
  await new Promise((resolve) => setTimeout(resolve, 20))
  pool.guestOf(sandbox).crash()
  expect(await looking).toMatchObject({ code: 'SANDBOX_GONE', reason: 'crash' })
  for (const call of [crashed.write('x'), crashed.wait(), crashed.resize(1, 1), sandbox.pty.create()])
    await expect(call).rejects.toMatchObject({ code: 'SANDBOX_GONE' })
  expect(sandbox.pty.get(crashed.id)).toBeUndefined()
})

test('waiting may be given up, and so may the start', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  await using pty = await sandbox.pty.create()
  await expect(pty.wait({ timeoutMs: 10 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  await expect(pty.wait({ signal: AbortSignal.abort('no') })).rejects.toBe('no')
  await expect(sandbox.pty.create({ signal: AbortSignal.abort('never') })).rejects.toBe('never')
  await expect(sandbox.pty.create({ command: ['nothing'] })).rejects.toMatchObject({
    code: 'SPAWN_FAILED',
    sandboxId: sandbox.id,
  })
  for (const options of [{ cols: 0 }, { rows: 65_536 }, { command: [] }, { command: 'sh' }, { size: 1 }, { env: { 'a=b': '' } }])
    await expect(sandbox.pty.create(options as object)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('a terminal keeps its sandbox from being idle by what is typed and printed, not by being there', async () => {
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox({ idleTimeoutMs: 200 })
  const pty = await sandbox.pty.create()
  for (let key = 0; key < 8; key++) {
    await new Promise((resolve) => setTimeout(resolve, 60))
    await pty.write('\r')
  }
  expect(sandbox.state).toBe('running')
  await expect.poll(() => sandbox.state).toBe('destroyed')
  await expect(pty.wait()).rejects.toMatchObject({ code: 'SANDBOX_GONE', reason: 'idle' })
})
