import { describe, expect, it } from 'vitest'
import { type GuestMessage, type GuestProcess, processesAtOnceMax } from '../../src/agent/index.ts'
import { spec } from '../support/calls.ts'
import type { SmallProcess } from './small-guest.ts'
import { talkTo } from './talking.ts'

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += chunk
  return text
}

describe('a process', () => {
  it('starts as asked, prints apart, and says how it ended', async () => {
    const { connection } = await talkTo({
      onStart: async (process) => {
        process.say({ type: 'Started', pid: 7 })
        ;(await process.stdio).write('out')
        ;(await process.stderr).write('err')
        await process.exit(3)
      },
    })
    const process = await connection.start(spec({ arguments: ['sh', '-c', 'x'], environment: { A: 'b=c', E: '' } }))
    expect(process.pid).toBe(7)
    expect(await Promise.all([textOf(process.stdout), textOf(process.stderr)])).toEqual(['out', 'err'])
    expect(await process.exited).toEqual({ exitCode: 3, signal: 0, oomKilled: false })
    expect(await process.signal(15)).toBe(false)
    process.terminate(10)
    connection.close()
  })

  it('is sent whole: arguments, environment, directory, user, stdin', async () => {
    let seen: SmallProcess | undefined
    const { connection } = await talkTo({
      onStart: (process) => {
        seen = process
        process.say({ type: 'Started', pid: 1 })
      },
    })
    await connection.start(
      spec({ arguments: ['a', '', 'ü\n'], environment: { A: 'b=c', E: '' }, cwd: '/tmp', user: 'u', stdin: 'pipe' }),
    )
    expect(seen?.start).toEqual({
      type: 'Start',
      arguments: ['a', '', 'ü\n'],
      environment: ['A=b=c', 'E='],
      cwd: '/tmp',
      user: 'u',
      stdin: 1,
    })
    connection.close()
  })

  it('reads stdin while it prints, and its end is stdin’s end', async () => {
    const { connection } = await talkTo({
      onStart: async (process) => {
        process.say({ type: 'Started', pid: 1 })
        const stdio = await process.stdio
        stdio.on('data', (chunk: Buffer) => stdio.write(chunk))
        stdio.on('end', () => void process.exit())
      },
    })
    const process = await connection.start(spec({ stdin: 'pipe' }))
    const sent = Buffer.alloc(4 * 1_048_576, 'abcdefg')
    process.stdin.end(sent)
    const received: Buffer[] = []
    for await (const chunk of process.stdout) received.push(chunk as Buffer)
    expect(Buffer.concat(received).equals(sent)).toBe(true)
    expect(await process.exited).toMatchObject({ exitCode: 0 })
    connection.close()
  })

  it('that ends with stdin unread lets go of it', async () => {
    const { connection, guest } = await talkTo({
      onStart: async (process) => {
        process.say({ type: 'Started', pid: 1 })
        await process.stdio // reads nothing of it
        setTimeout(() => void process.exit(), 20)
      },
    })
    const process = await connection.start(spec({ stdin: 'pipe' }))
    let accepted = 0
    const writing = (async () => {
      while (!process.stdin.destroyed) {
        await new Promise<void>((resolve) => process.stdin.write(Buffer.alloc(65_536), () => resolve()))
        accepted += 65_536
      }
    })()
    expect(await process.exited).toMatchObject({ exitCode: 0 })
    await writing
    expect(accepted).toBeLessThanOrEqual(1_048_576)
    process.stdout.resume()
    process.stderr.resume()
    await connection.ping()
    expect(guest.streamCount).toBeLessThanOrEqual(1)
    connection.close()
  })

  it('that closes stdin leaves stdout alone, and the other way round', async () => {
    const { connection } = await talkTo({
      onStart: async (process) => {
        process.say({ type: 'Started', pid: 1 })
        const stdio = await process.stdio
        stdio.on('end', () => {
          stdio.write('after the end of stdin')
          void process.exit()
        })
        stdio.resume()
      },
    })
    const process = await connection.start(spec({ stdin: 'pipe' }))
    process.stdin.destroy()
    expect(await textOf(process.stdout)).toBe('after the end of stdin')
    connection.close()
  })

  it('answers its signals in order', async () => {
    const { connection } = await talkTo({
      onStart: (process) => {
        process.say({ type: 'Started', pid: 1 })
        process.onMessage = (message) => {
          if (message.type === 'Signal') process.say({ type: 'Signalled', delivered: message.signal === 9 ? 1 : 0 })
          if (message.type === 'Terminate') void process.exit(143, 15)
        }
      },
    })
    const process = await connection.start(spec())
    expect(await Promise.all([process.signal(9), process.signal(15), process.signal(9)])).toEqual([true, false, true])
    await expect(process.signal(65)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    process.terminate(100)
    expect(await process.exited).toEqual({ exitCode: 143, signal: 15, oomKilled: false })
    connection.close()
  })

  it('a signal on its way when the process ends finds nobody', async () => {
    const { connection } = await talkTo({
      onStart: (process) => {
        process.say({ type: 'Started', pid: 1 })
        process.onMessage = () => void process.exit()
      },
    })
    const process = await connection.start(spec())
    expect(await process.signal(9)).toBe(false)
    connection.close()
  })

  it('abandoned is reset on all its streams', async () => {
    let seen: SmallProcess | undefined
    const { connection, guest } = await talkTo({
      onStart: (process) => {
        seen = process
        process.say({ type: 'Started', pid: 1 })
      },
    })
    const process = await connection.start(spec())
    process.abandon()
    await expect(process.exited).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE', retryable: false })
    await connection.ping()
    expect(seen?.control.destroyed).toBe(true)
    expect(guest.streamCount).toBe(0)
    connection.close()
  })
})

describe('a guest that breaks the rules loses its connection', () => {
  const started: GuestMessage = { type: 'Started', pid: 1 }
  const exited: GuestMessage = { type: 'Exited', exitCode: 0, signal: 0, oomKilled: 0 }
  it.each<[string, GuestMessage[]]>([
    ['Exited before Started', [exited]],
    ['Started twice', [started, started]],
    ['Exited twice', [started, exited, exited]],
    ['Failed after Started', [started, { type: 'Failed', errno: 'EIO', step: 'exec', message: '' }]],
    ['an answer to no signal', [started, { type: 'Signalled', delivered: 1 }]],
    ['a message of another conversation', [started, { type: 'Written', sizeBytes: 1 }]],
  ])('%s', async (_name, messages) => {
    const { connection } = await talkTo({
      onStart: (process) => {
        for (const message of messages) process.say(message)
      },
    })
    const starting = connection.start(spec())
    starting.catch(() => {})
    expect(await connection.ended).toMatchObject({ code: 'PROTOCOL' })
    const process = await starting.catch(() => undefined)
    if (messages[1]?.type === 'Exited') await process?.exited
    else await expect(process?.exited ?? starting).rejects.toMatchObject({ code: 'PROTOCOL' })
    await expect(connection.start(spec())).rejects.toMatchObject({ code: 'PROTOCOL' })
  })

  it.each([
    ['an unknown type', Buffer.from('000000019f', 'hex')],
    ['a size beyond the most', Buffer.from('0001000182', 'hex')],
    ['the end before Exited', Buffer.alloc(0)],
  ])('%s', async (_name, bytes) => {
    const { connection } = await talkTo({ onStart: (process) => void process.control.end(bytes) })
    await expect(connection.start(spec())).rejects.toMatchObject({ code: 'PROTOCOL' })
    expect(await connection.ended).toMatchObject({ code: 'PROTOCOL' })
  })
})

describe('many at once', () => {
  it('1,000 starts wait in line, at most 80 run, each gets its own answer', async () => {
    let running = 0
    let runningMax = 0
    const { connection } = await talkTo({
      onStart: async (process) => {
        runningMax = Math.max(runningMax, ++running)
        process.say({ type: 'Started', pid: 1 })
        ;(await process.stdio).write(process.start.arguments[1] ?? '')
        await process.stderr
        running--
        await process.exit()
      },
    })
    const run = async (number: number): Promise<void> => {
      const process: GuestProcess = await connection.start(spec({ arguments: ['echo', String(number)] }))
      process.stderr.resume()
      expect(await textOf(process.stdout)).toBe(String(number))
      await process.exited
    }
    await Promise.all(Array.from({ length: 1_000 }, (_, index) => run(index)))
    expect(runningMax).toBeGreaterThan(1)
    expect(runningMax).toBeLessThanOrEqual(processesAtOnceMax)
    connection.close()
  })

  it('who waits in line is first come first served, leaves when aborted, and is told when the connection ends', async () => {
    const order: string[] = []
    const running: SmallProcess[] = []
    const { connection } = await talkTo({
      onStart: (process) => {
        order.push(process.start.arguments[0] ?? '')
        running.push(process)
        process.say({ type: 'Started', pid: 1 })
      },
    })
    await Promise.all(Array.from({ length: processesAtOnceMax }, () => connection.start(spec({ arguments: ['first'] }))))
    const second = connection.start(spec({ arguments: ['second'] }))
    const controller = new AbortController()
    const aborted = connection.start(spec({ arguments: ['aborted'] }), { signal: controller.signal })
    const third = connection.start(spec({ arguments: ['third'] }))
    const last = connection.start(spec({ arguments: ['last'] }))
    controller.abort(new Error('no patience'))
    await expect(aborted).rejects.toThrow('no patience')
    await running[0]?.exit()
    await second
    await running[1]?.exit()
    await third
    expect(order.slice(processesAtOnceMax)).toEqual(['second', 'third'])
    connection.close()
    await expect(last).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' })
  })

  it('10,000 one after another leave nothing', async () => {
    const { connection, guest } = await talkTo({
      onStart: async (process) => {
        process.say({ type: 'Started', pid: 1 })
        await process.exit()
      },
    })
    for (let count = 0; count < 10_000; count++) {
      const process = await connection.start(spec())
      process.stdout.resume()
      process.stderr.resume()
      await process.exited
    }
    await connection.ping()
    expect(guest.streamCount).toBe(0)
    connection.close()
  })
})

it('when the guest goes away every call and every process says so at once', async () => {
  const { connection, guest } = await talkTo({
    onStart: (process) => (process.start.arguments[0] === 'run' ? process.say({ type: 'Started', pid: 1 }) : undefined),
  })
  const process = await connection.start(spec({ arguments: ['run'], stdin: 'pipe' }))
  const starting = connection.start(spec())
  starting.catch(() => {})
  const signal = process.signal(9)
  signal.catch(() => {})
  process.stdin.write(Buffer.alloc(1_000_000))
  await connection.ping()
  const startedAt = performance.now()
  guest.destroy()
  for (const call of [starting, signal, process.exited]) await expect(call).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' })
  expect(performance.now() - startedAt).toBeLessThan(100)
  expect(await connection.ended).toMatchObject({ code: 'GUEST_UNREACHABLE' })
  await expect(connection.ping()).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' })
})
