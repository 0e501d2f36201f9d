/** `warmcell shell`: this terminal, joined to one in a fresh microVM. */

import { type Pty, WarmcellError } from '../index.ts'
import { interruptible } from './interruption.ts'
import { type MicrovmChoices, withMicrovm } from './microvm.ts'

/** What a program may have switched on and not off: the mouse, pasting in brackets, keys of its own; no cursor, colours. */
const restored = '\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\x1b[?25h\x1b[m'

const [alternateOn, alternateOff] = ['\x1b[?1049h', '\x1b[?1049l']

export async function shellCommand(command: string[], options: MicrovmChoices): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new WarmcellError('INVALID_ARGUMENT', 'warmcell shell needs a terminal for its input and its output.', {
      hint: 'Without one: warmcell run -- COMMAND.',
    })
  }
  await interruptible(async (interrupted) => {
    process.exitCode = await withMicrovm(options, interrupted, async (sandbox) => {
      const { columns: cols, rows } = process.stdout
      const pty = await sandbox.pty.create({ ...(command.length > 0 && { command }), cols, rows, signal: interrupted })
      return attach(pty, interrupted)
    })
  })
}

/** Joins the two terminals until the one in the guest ends; returns its program's exit code. This one is as it was before, whatever happens. */
async function attach(pty: Pty, interrupted: AbortSignal): Promise<number> {
  const { stdin, stdout } = process
  const onData = (keys: Buffer): void => {
    stdin.pause()
    pty.write(keys).then(
      () => stdin.resume(),
      () => {},
    )
  }
  const onEnd = (): void => void pty.kill().catch(() => {})
  const onResize = (): void => void pty.resize(stdout.columns, stdout.rows).catch(() => {})
  const screen = { alternate: false }
  stdin.setRawMode(true)
  stdin.on('data', onData).once('end', onEnd)
  stdout.on('resize', onResize)
  try {
    await copy(pty, screen, interrupted)
    return (await pty.wait()).exitCode
  } finally {
    stdout.removeListener('resize', onResize)
    stdin.removeListener('data', onData).removeListener('end', onEnd).pause()
    stdin.unref()
    if (stdin.isTTY && !stdin.destroyed) stdin.setRawMode(false)
    if (stdout.writable) stdout.write(`${screen.alternate ? alternateOff : ''}${restored}`)
  }
}

/** Shows what is printed, at the pace of this terminal, until there is no more. @throws why it was interrupted */
async function copy(pty: Pty, screen: { alternate: boolean }, interrupted: AbortSignal): Promise<void> {
  const looking = pty[Symbol.asyncIterator]()
  const leave = (): void => void looking.return?.()
  let gone = false
  process.stdout.once('error', () => {
    // The window was closed: the program hears of it as it would of its own.
    gone = true
    void pty.kill().catch(() => {})
  })
  interrupted.addEventListener('abort', leave, { once: true })
  for (let next = await looking.next(); next.done !== true; next = await looking.next()) {
    const output = Buffer.from(next.value)
    const [on, off] = [output.lastIndexOf(alternateOn), output.lastIndexOf(alternateOff)]
    if (on !== off) screen.alternate = on > off
    if (!gone) await new Promise<void>((resolve) => process.stdout.write(output, () => resolve()))
  }
  interrupted.removeEventListener('abort', leave)
  interrupted.throwIfAborted()
}
