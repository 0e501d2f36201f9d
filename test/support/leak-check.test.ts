import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { assertNothingLeft, takeInventory } from './inventory.ts'

/** Long enough for a slow machine to look twice, short enough to wait for. */
const withinMs = 50

test('a process that is left is found, by its name', async () => {
  const before = takeInventory()
  const child = spawn('sleep', ['60'], { stdio: 'ignore' })
  await once(child, 'spawn')
  await expect(assertNothingLeft(before, withinMs)).rejects.toThrow('child process sleep')
  child.kill('SIGKILL')
  await once(child, 'exit')
  await assertNothingLeft(before)
})

test('a descriptor that is left is found, by what it leads to', async () => {
  const before = takeInventory()
  const file = await open('/dev/null')
  await expect(assertNothingLeft(before, withinMs)).rejects.toThrow('descriptor of /dev/null')
  await file.close()
  await assertNothingLeft(before)
})

test('a timer that is left is found', async () => {
  const before = takeInventory()
  // Several, for a timer of the runner's own may end meanwhile and make up for one.
  const timers = Array.from({ length: 5 }, () => setInterval(() => {}, 60_000))
  await expect(assertNothingLeft(before, withinMs)).rejects.toThrow('handle Timeout')
  for (const timer of timers) clearInterval(timer)
  await assertNothingLeft(before)
})

test('a listening socket that is left is found', async () => {
  const before = takeInventory()
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  await expect(assertNothingLeft(before, withinMs)).rejects.toThrow('handle TCPServerWrap')
  server.close()
  await assertNothingLeft(before)
})
