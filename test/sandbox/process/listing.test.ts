import { expect, test } from 'vitest'
import { createFakePool } from '../../../src/testing/index.ts'

test('what runs is listed in the order of its start, whoever started it, until it ends', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox({ user: 'user' })
  const startedAt = Date.now()
  const spawned = await sandbox.spawn(['sleep', 'infinity'], { user: 'root' })
  const execution = sandbox.exec('sleep infinity').catch((error) => error)
  await expect.poll(async () => (await sandbox.processes.list()).length).toBe(2)
  const terminal = await sandbox.pty.create({ command: ['sh'] })
  const list = await sandbox.processes.list()
  expect(list.map(({ id, startedAt: _, ...info }) => info)).toEqual([
    { pid: spawned.pid, command: ['sleep', 'infinity'], user: 'root', pty: false },
    { pid: expect.any(Number), command: ['/bin/sh', '-c', 'sleep infinity'], user: 'user', pty: false },
    { pid: terminal.pid, command: ['sh'], user: 'user', pty: true },
  ])
  expect(new Set(list.map(({ id }) => id)).size).toBe(3)
  expect(list.every((info) => Math.abs(info.startedAt.getTime() - startedAt) < 60_000)).toBe(true)
  expect(sandbox.processes.get(spawned.id)).toBe(spawned)
  expect(sandbox.pty.get(terminal.id)).toBe(terminal)
  expect(sandbox.processes.get(terminal.id)).toBeUndefined()
  expect(sandbox.pty.get(spawned.id)).toBeUndefined()
  expect(sandbox.processes.get('p999')).toBeUndefined()
  for (const { id } of list) await (sandbox.processes.get(id) ?? sandbox.pty.get(id))?.kill('SIGKILL')
  expect(await execution).toMatchObject({ signal: 'SIGKILL' })
  await expect.poll(() => sandbox.processes.list()).toEqual([])
})

test('one of exec is there to be killed and waited for, not to be read', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const execution = sandbox.exec('echo heard; sleep infinity')
  await expect.poll(async () => (await sandbox.processes.list()).length).toBe(1)
  const [info] = await sandbox.processes.list()
  const process = sandbox.processes.get(info?.id ?? '')
  for await (const _ of process ?? []) expect.unreachable()
  await process?.kill()
  expect(await execution).toMatchObject({ stdout: 'heard\n', signal: 'SIGTERM' })
  expect(await process?.wait()).toMatchObject({ stdout: 'heard\n' })
})

test('a sandbox that is gone lists nothing', async () => {
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox()
  const process = await sandbox.spawn(['sleep', 'infinity'])
  await sandbox.destroy()
  await expect(sandbox.processes.list()).rejects.toMatchObject({ code: 'SANDBOX_GONE' })
  await expect.poll(() => sandbox.processes.get(process.id)).toBeUndefined()
})
