import { expect, it } from 'vitest'
import { spec } from '../support/calls.ts'
import type { SmallProcess } from './small-guest.ts'
import { talkTo } from './talking.ts'

const terminal = { columns: 80, rows: 24 }

it('a process at a terminal has two streams: control, and one for what is typed and printed', async () => {
  let seen: SmallProcess | undefined
  const { connection, guest } = await talkTo({
    onStart: async (process) => {
      seen = process
      process.say({ type: 'Started', pid: 5 })
      const stdio = await process.stdio
      stdio.on('data', (chunk: Buffer) => stdio.write(chunk))
    },
  })
  const process = await connection.start(spec({ terminal }))
  expect(seen?.start).toMatchObject({ columns: 80, rows: 24, stdin: 1 })
  expect(guest.streamCount).toBe(2)
  process.stdin.write('typed')
  const { value } = await process.stdout.iterator({ destroyOnReturn: false }).next()
  expect(String(value)).toBe('typed')
  expect(await process.stderr.toArray()).toEqual([])
  connection.close()
})

it('its size is changed in order with signals, and only while it runs', async () => {
  let seen: SmallProcess | undefined
  const { connection } = await talkTo({
    onStart: (process) => {
      seen = process
      process.say({ type: 'Started', pid: 5 })
      process.onMessage = async (message) => {
        if (message.type !== 'Signal') return
        const stdio = await process.stdio
        stdio.end()
        process.say({ type: 'Exited', exitCode: 129, signal: 1, oomKilled: 0 })
        process.control.end()
      }
    },
  })
  const process = await connection.start(spec({ terminal }))
  process.resize(1, 65_535)
  expect(await process.signal(1)).toBe(false)
  process.resize(2, 2)
  expect(await process.exited).toEqual({ exitCode: 129, signal: 1, oomKilled: false })
  expect(seen?.heard).toEqual([
    { type: 'Resize', columns: 1, rows: 65_535 },
    { type: 'Signal', signal: 1 },
  ])
  connection.close()
})

it('32 are open at once; one more waits in line, and keeps no process waiting', async () => {
  const running: SmallProcess[] = []
  const { connection, guest } = await talkTo({
    onStart: (process) => {
      running.push(process)
      process.say({ type: 'Started', pid: 1 })
    },
  })
  const processes = await Promise.all(Array.from({ length: 32 }, () => connection.start(spec({ terminal }))))
  const waits = connection.start(spec({ terminal, arguments: ['late'] }))
  await connection.start(spec())
  expect(running.map(({ start }) => start.arguments[0])).not.toContain('late')
  processes[0]?.abandon()
  await waits
  expect(guest.streamCount).toBe(32 * 2 + 3)
  connection.close()
})
