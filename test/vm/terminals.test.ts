/** Terminals of real microVMs behave as a person at one expects, and their screens can be looked at again. */

import { createHash, randomBytes } from 'node:crypto'
import headless from '@xterm/headless'
import { describe, expect, it } from 'vitest'
import type { Pty } from '../../src/index.ts'
import { poolOfThisFile, running, sandboxOfThisFile } from './vm.ts'

const pool = poolOfThisFile()
const sandbox = sandboxOfThisFile(pool)

/** Somebody who looks at a terminal: what they have been given so far, and what that shows on a terminal of theirs. */
class Onlooker {
  readonly #terminal: InstanceType<typeof headless.Terminal>
  readonly #looking: AsyncIterator<Uint8Array>
  readonly #bytes: Uint8Array[] = []
  readonly over: Promise<void>

  constructor(pty: Pty) {
    this.#terminal = new headless.Terminal({ cols: pty.cols, rows: pty.rows, allowProposedApi: true })
    this.#looking = pty[Symbol.asyncIterator]()
    this.over = this.#look()
    this.over.catch(() => {})
  }

  get text(): string {
    return Buffer.concat(this.#bytes).toString()
  }

  /** What the screen shows, a line each, without the blanks at their ends. */
  get screen(): string[] {
    const { active } = this.#terminal.buffer
    return Array.from({ length: this.#terminal.rows }, (_, row) =>
      (active.getLine(active.baseY + row)?.translateToString(true) ?? '').trimEnd(),
    )
  }

  get alternate(): boolean {
    return this.#terminal.buffer.active.type === 'alternate'
  }

  get cursor(): [column: number, row: number] {
    return [this.#terminal.buffer.active.cursorX, this.#terminal.buffer.active.cursorY]
  }

  resize(cols: number, rows: number): void {
    this.#terminal.resize(cols, rows)
  }

  async sees(what: string | RegExp): Promise<void> {
    await expect.poll(() => this.screen.join('\n'), { timeout: 30_000, interval: 20 }).toMatch(what)
  }

  async leave(): Promise<void> {
    await this.#looking.return?.()
    await this.over
    this.#terminal.dispose()
  }

  async #look(): Promise<void> {
    for (let next = await this.#looking.next(); next.done !== true; next = await this.#looking.next()) {
      this.#bytes.push(next.value)
      const { value } = next
      await new Promise<void>((resolve) => this.#terminal.write(value, resolve))
    }
  }
}

/** A shell whose prompt is `> ` and nothing else, with somebody looking. */
async function shell(command = ['sh'], size: { cols?: number; rows?: number } = {}): Promise<[Pty, Onlooker]> {
  const pty = await sandbox().pty.create({ command, env: { PS1: '> ', ENV: undefined }, cwd: '/tmp', ...size })
  const onlooker = new Onlooker(pty)
  await onlooker.sees(/^>$/m)
  return [pty, onlooker]
}

describe('a shell at a terminal', () => {
  it('is the user’s login shell unless said otherwise, knows its terminal, and exits with its code', async () => {
    const pty = await sandbox().pty.create({ user: 'root', cols: 101, rows: 37 })
    const onlooker = new Onlooker(pty)
    await pty.write('echo "$TERM $SHELL $HOME $0"; tty; stty size; whoami\r')
    await onlooker.sees(/xterm-256color \/bin\/sh \/root \S*sh/)
    await onlooker.sees('/dev/pts/')
    await onlooker.sees('37 101')
    await pty.write('exit 7\r')
    expect(await pty.wait()).toEqual({ exitCode: 7, signal: null })
    await onlooker.over
    expect(sandbox().pty.get(pty.id)).toBeUndefined()
    expect(await pty.kill()).toBe(false)
    await pty.write('to nobody')
  })

  it('has jobs: in the background, stopped by Ctrl-Z, brought back, ended by Ctrl-C', async () => {
    const [pty, onlooker] = await shell()
    await pty.write('sleep 611 &\r')
    await pty.write('sleep 612\r')
    await expect.poll(() => running(sandbox(), 'sleep 612')).toBe(1)
    await pty.write('\x1a')
    await onlooker.sees(/Stopped\s+sleep 612/)
    await pty.write('jobs\r')
    await onlooker.sees(/Running\s+sleep 611/)
    await pty.write('fg\r')
    await onlooker.sees(/> fg\n(sleep 612)/)
    await pty.write('\x03')
    await expect.poll(() => running(sandbox(), 'sleep 612')).toBe(0)
    await pty.write('echo code $?; kill %1; exit\r')
    await onlooker.sees('code 130')
    expect(await pty.wait()).toMatchObject({ signal: null })
    await onlooker.over
  })

  it('is told of its new size', async () => {
    const [pty, onlooker] = await shell(
      ['sh', '-c', 'trap "stty size" WINCH; stty size; echo ">"; while :; do sleep 0.1; done'],
      {
        cols: 40,
        rows: 10,
      },
    )
    await onlooker.sees('10 40')
    onlooker.resize(132, 43)
    await pty.resize(132, 43)
    expect([pty.cols, pty.rows]).toEqual([132, 43])
    await onlooker.sees('43 132')
    await pty.kill('SIGKILL')
    await onlooker.over
  })

  it('takes and gives UTF-8', async () => {
    const [pty, onlooker] = await shell(['sh', '-c', 'printf "> "; while read -r line; do echo "<$line>"; done'])
    await pty.write('grüße 🦆 漢字\r')
    await onlooker.sees('<grüße 🦆 漢字>')
    expect(onlooker.text).not.toContain('\ufffd')
    await pty.write(Buffer.from('\x04'))
    expect(await pty.wait()).toEqual({ exitCode: 0, signal: null })
    await onlooker.over
  })

  it('that takes no notice is killed with SIGKILL', async () => {
    const [pty, onlooker] = await shell(['sh', '-c', 'trap "" HUP TERM INT; printf "> "; while :; do sleep 1; done'])
    expect(await pty.kill()).toBe(true)
    expect(await pty.kill('SIGTERM')).toBe(true)
    expect(await pty.kill('SIGKILL')).toBe(true)
    expect(await pty.wait()).toEqual({ exitCode: 137, signal: 'SIGKILL' })
    await onlooker.over
    await expect(pty.kill('SIGNOPE')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('is hung up when it is disposed of: what it ran in the foreground ends too', async () => {
    {
      await using pty = await sandbox().pty.create({ command: ['sh'], env: { PS1: '> ' } })
      await pty.write('sleep 613\r')
      await expect.poll(() => running(sandbox(), 'sleep 613')).toBe(1)
    }
    await expect.poll(() => running(sandbox(), 'sleep 613')).toBe(0)
  })
})

describe('a lot of input', () => {
  it('of 200 KiB is pasted whole into cat', async () => {
    const [pty, onlooker] = await shell()
    const lines = `${randomBytes(100 * 1_024)
      .toString('hex')
      .match(/.{1,64}/g)
      ?.join('\n')}\n`
    await pty.write('stty -echo; cat >/tmp/pasted; sha256sum </tmp/pasted\r')
    await pty.write(lines)
    await pty.write('\x04')
    await onlooker.sees(createHash('sha256').update(lines).digest('hex'))
    await pty.kill('SIGKILL')
    await onlooker.over
  })

  it('that nobody reads holds the writer back, and ends with the program', async () => {
    const pty = await sandbox().pty.create({ command: ['sh', '-c', 'stty raw -echo; sleep 614'] })
    let taken = 0
    const writing = (async () => {
      for (let at = 0; at < 64; at++, taken += 65_536) await pty.write(Buffer.alloc(65_536, 'x'))
    })()
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(taken).toBeLessThan(1_048_576)
    await pty.kill('SIGKILL')
    await writing
    expect(await pty.wait()).toMatchObject({ signal: 'SIGKILL' })
  })
})

describe('a program that fills the screen', () => {
  it('vi shows a file and writes it; somebody who comes later sees the same, on the same screen', async () => {
    await sandbox().exec('for i in $(seq 1 100); do echo "line $i"; done >/tmp/text')
    const [pty, onlooker] = await shell(['sh'], { cols: 60, rows: 20 })
    await pty.write('vi /tmp/text\r')
    await onlooker.sees('line 18')
    await pty.write('5Gohello from vi\x1b')
    await onlooker.sees('hello from vi')
    await expect.poll(() => onlooker.screen[5]).toBe('hello from vi')
    const { screen, cursor, alternate } = onlooker
    await onlooker.leave()
    const later = new Onlooker(sandbox().pty.get(pty.id) as Pty)
    await later.sees('hello from vi')
    expect({ screen: later.screen, cursor: later.cursor, alternate: later.alternate }).toEqual({ screen, cursor, alternate })
    expect(later.text.startsWith('\x1bc')).toBe(true)
    await pty.write(':wq\r')
    await later.sees(/^>$/m)
    await pty.write('exit\r')
    await later.over
    expect((await sandbox().exec('sed -n 6p /tmp/text')).stdout).toBe('hello from vi\n')
  })

  it('top draws itself again and again, at the size that it is given', async () => {
    const [pty, onlooker] = await shell(['sh'], { cols: 70, rows: 15 })
    await pty.write('top -d 1\r')
    await onlooker.sees(/Mem: \d+K used/)
    await onlooker.sees(/PID\s+PPID\s+USER/)
    onlooker.resize(90, 30)
    await pty.resize(90, 30)
    await onlooker.sees(/PID\s+PPID\s+USER/)
    await pty.write('q')
    await pty.write('exit\r')
    await pty.wait()
    await onlooker.over
  })
})

describe('nobody looking', () => {
  it('does not hold the program up, and the last screenful is there', async () => {
    await sandbox().exec('seq 100001 110000 | sed "s/$/ $(printf %72s | tr " " .)/" >/tmp/numbers')
    await using pty = await sandbox().pty.create({ command: ['sh', '-c', 'cat /tmp/numbers; echo done; sleep 615'], rows: 10 })
    const first = new Onlooker(pty)
    await first.sees(/^1\d{5} /m)
    await first.leave()
    await expect.poll(() => running(sandbox(), 'sleep 615'), { timeout: 30_000 }).toBe(1)
    const later = new Onlooker(pty)
    await later.sees('done')
    const numbers = later.screen.slice(0, 9).map((line) => line.split(' ')[0])
    expect(numbers).toEqual(['109993', '109994', '109995', '109996', '109997', '109998', '109999', '110000', 'done'])
    await later.leave()
  })

  it('the first who looks is given everything, as it was printed', async () => {
    await using pty = await sandbox().pty.create({ command: ['sh', '-c', 'printf "\\033[31mred\\033[m\\n"; sleep 616'] })
    await expect.poll(() => running(sandbox(), 'sleep 616')).toBe(1)
    const onlooker = new Onlooker(pty)
    await onlooker.sees('red')
    expect(onlooker.text).toBe('\x1b[31mred\x1b[m\r\n')
    await onlooker.leave()
  })

  it('a slow one alone holds the program back; beside a fast one they do not', async () => {
    await sandbox().exec('yes "$(printf %99s)" | head -c 2000000 >/tmp/yes')
    await using pty = await sandbox().pty.create({
      command: ['sh', '-c', 'cat /tmp/yes; printf "the end"; sleep 617'],
    })
    const slow = pty[Symbol.asyncIterator]()
    await slow.next()
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(await running(sandbox(), 'sleep 617')).toBe(0)
    const fast = new Onlooker(pty)
    await fast.sees('the end')
    // What the slow one missed is replaced by what the screen shows.
    let last = ''
    let bytes = 0
    while (!last.includes('the end')) {
      const { value } = await slow.next()
      last = Buffer.from(value).toString()
      bytes += last.length
    }
    expect(bytes).toBeLessThan(1_000_000)
    await slow.return?.()
    await fast.leave()
  })
})

describe('many', () => {
  it('20 terminals at once each answer for themselves', async () => {
    const shells = await Promise.all(Array.from({ length: 20 }, () => shell()))
    await Promise.all(
      shells.map(async ([pty, onlooker], number) => {
        await pty.write(`echo $((${number} * 1000)); exit ${number}\r`)
        await onlooker.sees(new RegExp(`^${number * 1_000}$`, 'm'))
        expect(await pty.wait()).toEqual({ exitCode: number, signal: null })
        await onlooker.over
      }),
    )
  })

  it('more than 32 wait their turn', async () => {
    await using own = await pool().createSandbox()
    const ptys = await Promise.all(Array.from({ length: 32 }, () => own.pty.create({ command: ['cat'] })))
    await expect(own.pty.create({ command: ['cat'], timeoutMs: 100 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect((await own.exec(['echo', 'still here'])).stdout).toBe('still here\n')
    const next = own.pty.create({ command: ['cat'] })
    await ptys[0]?.kill('SIGKILL')
    expect((await next).pid).toBeGreaterThan(0)
  })

  it('all end with the sandbox, and say so', async () => {
    const own = await pool().createSandbox()
    const pty = await own.pty.create({ command: ['cat'] })
    const onlooker = new Onlooker(pty)
    const process = await own.spawn(['sleep', '618'])
    process.detach()
    expect((await own.processes.list()).map(({ command, pty: at }) => [command[0], at])).toEqual([
      ['cat', true],
      ['sleep', false],
    ])
    await own.destroy()
    const gone = { code: 'SANDBOX_GONE', reason: 'requested' }
    await expect(pty.wait()).rejects.toMatchObject(gone)
    await expect(process.wait()).rejects.toMatchObject(gone)
    await expect(onlooker.over).rejects.toMatchObject(gone)
    await expect(pty.write('x')).rejects.toMatchObject(gone)
    expect([own.pty.get(pty.id), own.processes.get(process.id)]).toEqual([undefined, undefined])
  })
})

it('refuses what is no terminal', async () => {
  for (const options of [{ cols: 0 }, { rows: 65_536 }, { cols: 1.5 }, { command: [] }, { columns: 80 }])
    await expect(sandbox().pty.create(options as object)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(sandbox().pty.create({ command: ['no-such-program'] })).rejects.toMatchObject({ code: 'SPAWN_FAILED' })
})

it('processes and terminals: 112 at once work, and a flood that nobody reads slows none of the others', async () => {
  await using own = await pool().createSandbox()
  const flooding = await Promise.all(Array.from({ length: 8 }, () => own.spawn(['yes'], { retain: 'none' })))
  const held = await own.pty.create({ command: ['yes'] })
  const looking = held[Symbol.asyncIterator]()
  await looking.next()
  const others = await Promise.all([
    ...Array.from({ length: 72 }, () => own.spawn(['cat'], { stdin: 'pipe' })),
    ...Array.from({ length: 31 }, () => own.pty.create({ command: ['cat'] })),
  ])
  expect(await own.processes.list()).toHaveLength(8 + 1 + 72 + 31)
  await Promise.all(
    others.map(async (one, number) => {
      const asked = `number ${number}\n`
      if ('stdin' in one) {
        const writer = one.stdin.getWriter()
        await writer.write(asked)
        expect(Buffer.from((await one.stdout.getReader().read()).value ?? []).toString()).toBe(asked)
        await writer.close()
        return
      }
      const onlooker = new Onlooker(one)
      await one.write(asked)
      await onlooker.sees(new RegExp(`number ${number}$`, 'm'))
      await onlooker.leave()
    }),
  )
  for (const process of flooding) expect(await process.kill('SIGKILL')).toBe(true)
})

describe('a process that was let go of', () => {
  it('is found again with the last of what it printed, and says how it ended', async () => {
    const process = await sandbox().spawn(
      'seq 1 100000; sleep 0.3; touch /tmp/counted; read -r line; echo "heard $line" >&2; exit 9',
      { stdin: 'pipe' },
    )
    const { id } = process
    process.detach()
    await expect.poll(async () => (await sandbox().exec('test -e /tmp/counted')).ok, { timeout: 30_000 }).toBe(true)
    const again = sandbox().processes.get(id)
    const writer = again?.stdin.getWriter()
    const heard = { stdout: '', stderr: '' }
    for await (const { stream, data } of again ?? []) {
      heard[stream] += Buffer.from(data).toString()
      if (heard.stdout.endsWith('\n100000\n') && heard.stderr === '') await writer?.write('you\n').catch(() => {})
    }
    expect(heard.stdout.endsWith('99999\n100000\n')).toBe(true)
    expect(heard.stdout.length).toBeLessThanOrEqual(262_144)
    expect(heard.stdout.length + process.missedBytes).toBe(588_895)
    expect(heard.stderr).toBe('heard you\n')
    expect(await process.wait()).toMatchObject({ exitCode: 9, stderr: 'heard you\n' })
    expect(sandbox().processes.get(id)).toBeUndefined()
  })
})
