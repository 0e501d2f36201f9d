/** Looking at a terminal: from the start, later, beside others, slowly. */

import headless from '@xterm/headless'
import { expect, test } from 'vitest'
import { createFakePool, type FakeProgram } from '../../../src/testing/index.ts'

/** What it is told to, as it is told to. */
const cat: FakeProgram = async ({ stdin, stdout }) => {
  for await (const chunk of stdin) await stdout.write(chunk)
  return 0
}
let written = 0
const flood: FakeProgram = async ({ stdout }) => {
  written = 0
  for (;;) {
    await stdout.write(`${'x'.repeat(65_533)}\r\n`)
    written += 65_536
  }
}
const programs = { cat, flood }

async function screenOf(output: Uint8Array, cols = 80, rows = 24): Promise<{ lines: string[]; terminal: headless.Terminal }> {
  const terminal = new headless.Terminal({ cols, rows, allowProposedApi: true, scrollback: 0 })
  await new Promise<void>((resolve) => terminal.write(output, resolve))
  const { active } = terminal.buffer
  return { lines: Array.from({ length: rows }, (_, row) => active.getLine(row)?.translateToString(true) ?? ''), terminal }
}

/** The next chunks until what they say together holds this. */
async function until(looking: AsyncIterator<Uint8Array>, what: string): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  while (!Buffer.concat(chunks).includes(what)) {
    const { value, done } = await looking.next()
    if (done === true) throw new Error(`the end came before '${what}'`)
    chunks.push(value)
  }
  return Buffer.concat(chunks)
}

test('the first look begins with all that was printed since the start; the second with what the screen shows', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  await using pty = await sandbox.pty.create({ command: ['cat'] })
  await pty.write('one\r\n\x1b[2J\x1b[Htwo \x1b[31mred')
  await new Promise((resolve) => setTimeout(resolve, 50))
  const first = pty[Symbol.asyncIterator]()
  expect(String((await first.next()).value)).toBe('one\r\n\x1b[2J\x1b[Htwo \x1b[31mred')
  const second = pty[Symbol.asyncIterator]()
  const drawing = (await second.next()).value as Uint8Array
  expect(String(drawing)).not.toContain('one')
  const { lines, terminal } = await screenOf(drawing)
  expect(lines[0]).toBe('two red')
  expect(terminal.buffer.active.getLine(0)?.getCell(5)?.getFgColor()).toBe(1)
  expect([terminal.buffer.active.cursorX, terminal.buffer.active.cursorY]).toEqual([7, 0])
  await pty.write('!')
  expect(String((await first.next()).value)).toBe('!')
  expect(String((await second.next()).value)).toBe('!')
})

test('a drawing has the alternate screen, the modes, the margins, the title and the hidden cursor', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  await using pty = await sandbox.pty.create({ command: ['cat'], cols: 40, rows: 10 })
  const first = pty[Symbol.asyncIterator]()
  await pty.write(
    'normal\x1b[?1049h\x1b[2J\x1b[3;5Halternate\x1b[?2004h\x1b[?1h\x1b[?1006h\x1b[?25l\x1b]2;a title\x07\x1b[2;9r\x1b[4;7H',
  )
  await until(first, '\x1b[4;7H')
  const drawing = (await pty[Symbol.asyncIterator]().next()).value as Uint8Array
  const { lines, terminal } = await screenOf(drawing, 40, 10)
  expect(terminal.buffer.active.type).toBe('alternate')
  expect(lines[2]).toBe('    alternate')
  expect([terminal.buffer.active.cursorX, terminal.buffer.active.cursorY]).toEqual([6, 3])
  expect(terminal.modes).toMatchObject({ bracketedPasteMode: true, applicationCursorKeysMode: true })
  for (const part of ['\x1b[?25l', '\x1b[?1006h', '\x1b]2;a title\x07', '\x1b[2;9r']) expect(String(drawing)).toContain(part)
  terminal.write('\x1b[?1049l')
  await new Promise<void>((resolve) => terminal.write('', resolve))
  expect(terminal.buffer.active.getLine(0)?.translateToString(true)).toBe('normal')
})

test('a look that begins inside a character or a sequence shows it as whoever looked all the time sees it', async () => {
  for (const [begun, rest, shown] of [
    ['\xe2\x82', '\xac', 'seen €'],
    ['\x1b', '[31mred', 'seen red'],
    ['\x1b[3', '1mred', 'seen red'],
    ['\x1b]2;a ti', 'tle\x07text', 'seen text'],
    ['\x1b]2;a title\x1b', '\\text', 'seen text'],
    ['\x1bPq#0\x07', '~~\x1b\\text', 'seen text'],
    ['\x1b(', 'Btext', 'seen text'],
    ['\x1b]2;a title\x07', 'text', 'seen text'],
  ] as const) {
    await using pool = createFakePool({ programs })
    await using sandbox = await pool.createSandbox()
    await using pty = await sandbox.pty.create({ command: ['cat'] })
    await pty.write(Buffer.from(`seen ${begun}`, 'latin1'))
    const first = pty[Symbol.asyncIterator]()
    await first.next()
    const second = pty[Symbol.asyncIterator]()
    const drawing = (await second.next()).value as Uint8Array
    await pty.write(Buffer.from(rest, 'latin1'))
    const { lines } = await screenOf(Buffer.concat([drawing, (await second.next()).value as Uint8Array]))
    expect(lines[0]).toBe(shown)
  }
})

test('while nobody looks the program goes on, and what it switched on long ago is remembered', async () => {
  const program: FakeProgram = async ({ stdout, signal }) => {
    await stdout.write('\x1b[?1049h\x1b[?2004h')
    for (let line = 0; line < 20_000; line++) await stdout.write(`${String(line).padStart(70)}\r\n`)
    await stdout.write('the end')
    written = -1
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    return 0
  }
  await using pool = createFakePool({ programs: { program } })
  await using sandbox = await pool.createSandbox()
  written = 0
  await using pty = await sandbox.pty.create({ command: ['program'], rows: 5 })
  await expect.poll(() => written).toBe(-1)
  await new Promise((resolve) => setTimeout(resolve, 100))
  const looking = pty[Symbol.asyncIterator]()
  const { lines, terminal } = await screenOf((await looking.next()).value as Uint8Array, 80, 5)
  expect(lines.map((line) => line.trim())).toEqual(['19996', '19997', '19998', '19999', 'the end'])
  expect(terminal.buffer.active.type).toBe('alternate')
  expect(terminal.modes.bracketedPasteMode).toBe(true)
})

test('one who looks slowly holds the program back; when they leave it goes on', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  await using pty = await sandbox.pty.create({ command: ['flood'] })
  const looking = pty[Symbol.asyncIterator]()
  await looking.next()
  let before = -1
  while (before !== written) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(written).toBeLessThan(2 * 1_048_576)
  for (let read = 0; read < 2 * 1_048_576; ) read += (await looking.next()).value?.length ?? 0
  expect(written).toBeGreaterThan(before)
  await looking.return?.()
  before = written
  await expect.poll(() => written - before).toBeGreaterThan(4 * 1_048_576)
})

test('beside a fast one a slow one holds nobody back, and is given the screen in place of what they missed', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  await using pty = await sandbox.pty.create({ command: ['flood'] })
  const slow = pty[Symbol.asyncIterator]()
  await slow.next()
  let before = -1
  while (before !== written) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const fast = pty[Symbol.asyncIterator]()
  for (let read = 0; read < 4 * 1_048_576; ) read += (await fast.next()).value?.length ?? 0
  let waited = 0
  for (;;) {
    const { value } = await slow.next()
    if (String(value).startsWith('\x1bc')) break
    waited += value.length
  }
  expect(waited).toBeLessThanOrEqual(262_144)
})

test('leaving ends a look that waits', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  await using pty = await sandbox.pty.create({ command: ['cat'] })
  const looking = pty[Symbol.asyncIterator]()
  const waiting = looking.next()
  await new Promise((resolve) => setTimeout(resolve, 20))
  await looking.return?.()
  expect((await waiting).done).toBe(true)
  expect((await looking.next()).done).toBe(true)
})

test('after the end the last screen can still be looked at', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const pty = await sandbox.pty.create({ command: ['echo', 'last words'] })
  expect(await pty.wait()).toEqual({ exitCode: 0, signal: null })
  for (let look = 0; look < 2; look++) {
    const chunks: Uint8Array[] = []
    for await (const chunk of pty) chunks.push(chunk)
    expect((await screenOf(Buffer.concat(chunks))).lines[0]).toBe('last words')
  }
})

test('of a screen that no thread may draw the last words are given, and nothing that works', async () => {
  await using pool = createFakePool({ programs })
  await using sandbox = await pool.createSandbox()
  await using pty = await sandbox.pty.create({ command: ['cat'], cols: 65_535, rows: 65_535 })
  const first = pty[Symbol.asyncIterator]()
  await pty.write('a huge screen')
  await until(first, 'screen')
  expect(String((await pty[Symbol.asyncIterator]().next()).value)).toBe('\x1bca huge screen')
  await pty.resize(500, 200)
  // 65,536 times the whole screen is cleared: that takes many seconds.
  await pty.write('\x1b[2J'.repeat(60_000))
  await pty.write('over')
  await until(first, 'over')
  const drawing = String((await pty[Symbol.asyncIterator]().next()).value)
  // Its own reset, and no escape behind it.
  expect(drawing.startsWith('\x1bc')).toBe(true)
  expect(drawing.lastIndexOf('\x1b')).toBe(0)
  expect(drawing.endsWith('over')).toBe(true)
})
