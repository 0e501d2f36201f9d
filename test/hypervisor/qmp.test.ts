import type { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { QmpClient } from '../../src/hypervisor/qemu/qmp.ts'
import { pipePair } from '../../src/testing/pipe.ts'

const greeting = '{"QMP": {"version": {"qemu": {"major": 10, "minor": 0, "micro": 2}}, "capabilities": []}}\r\n'

/** A client, and QEMU's end of its pipe. */
function connect(): { client: QmpClient; qemu: Duplex; end: () => Promise<void> } {
  const [ours, theirs] = pipePair()
  theirs.on('error', () => {}).resume()
  return {
    client: new QmpClient(ours),
    qemu: theirs,
    end: async () => {
      theirs.destroy()
      if (!ours.destroyed) await new Promise((resolve) => ours.once('close', resolve))
    },
  }
}

test('commands may be sent before the greeting, and are answered in order, whatever comes between', async () => {
  const { client, qemu, end } = connect()
  const sent: string[] = []
  qemu.on('data', (chunk: Buffer) => void sent.push(chunk.toString()))
  const answers = Promise.all([client.negotiate(), client.execute('query-status'), client.execute('quit', { now: true })])
  const bytes = Buffer.from(
    `${greeting}{"return": {}}\n{"event": "STOP", "data": {}}\n{"return": {"status": "läuft"}}\n{"event": "RESUME"}\n{"return": 7}\n`,
  )
  for (let at = 0; at < bytes.length; at += 7) qemu.write(bytes.subarray(at, at + 7))
  expect(await answers).toEqual([undefined, { status: 'läuft' }, 7])
  expect(sent.join('')).toBe(
    '{"execute":"qmp_capabilities"}\n{"execute":"query-status"}\n{"execute":"quit","arguments":{"now":true}}\n',
  )
  await end()
})

test('a QEMU that ended before anybody listened is gone, and is not waited for', async () => {
  const [ours, theirs] = pipePair()
  theirs.on('error', () => {}).resume()
  ours.on('error', () => {}).destroy()
  await new Promise((resolve) => ours.once('close', resolve))
  await expect(new QmpClient(ours).negotiate()).rejects.toMatchObject({ code: 'BOOT_FAILED' })
  theirs.destroy()
})

test('a refusal rejects its own command with the words of QEMU, made safe', async () => {
  const { client, qemu, end } = connect()
  const [refused, answered] = [client.execute('nope').catch((error) => error), client.execute('query-status')]
  qemu.write('{"error": {"class": "CommandNotFound", "desc": "no\\u001b[31m such\\ncommand"}}\n{"return": {}}\n')
  expect(await refused).toMatchObject({ code: 'BOOT_FAILED', message: 'QEMU refused a command: no [31m such command' })
  expect(await answered).toEqual({})
  await end()
})

test.each(['garbage', 'null', '7', '"text"', '{"error": null}', '{"error": {"desc": 7}}', '{"return": '])(
  'a line like %s ends the connection, and never this process',
  async (line) => {
    const { client, qemu, end } = connect()
    const calls = [client.execute('a'), client.execute('b')].map((call) => call.catch((error) => error))
    qemu.write(`${line}\n{"return": {}}\n`)
    for (const failure of await Promise.all(calls)) expect(failure).toMatchObject({ code: 'BOOT_FAILED' })
    await expect(client.execute('c')).rejects.toMatchObject({ code: 'BOOT_FAILED' })
    await end()
  },
)

test('answers nobody asked for are dropped', async () => {
  const { client, qemu, end } = connect()
  qemu.write('{"return": 1}\n{"error": {"desc": "x"}}\n')
  await new Promise((resolve) => setTimeout(resolve, 10))
  const call = client.execute('a')
  qemu.write('{"return": 2}\n')
  expect(await call).toBe(2)
  await end()
})

test('a line without end ends the connection before it fills the host', async () => {
  const { client, qemu, end } = connect()
  const call = client.execute('a').catch((error) => error)
  let taken = 0
  qemu.on('close', () => {
    taken = -taken
  })
  while (taken >= 0 && taken < 64 * 1_048_576) {
    await new Promise<void>((resolve) => qemu.write(Buffer.alloc(65_536, 'x'), () => resolve()))
    if (taken >= 0) taken += 65_536
    if (!qemu.writable) break
  }
  expect(await call).toMatchObject({ code: 'BOOT_FAILED' })
  expect(Math.abs(taken)).toBeLessThan(4 * 1_048_576)
  await end()
})

test('when QEMU goes, every call says so', async () => {
  const { client, qemu } = connect()
  const call = client.execute('a').catch((error) => error)
  qemu.destroy()
  expect(await call).toMatchObject({ code: 'BOOT_FAILED', message: 'QEMU closed its control socket.' })
  await expect(client.execute('b')).rejects.toMatchObject({ message: 'QEMU closed its control socket.' })
})

/** Loads while QEMU says this, line by line; then QEMU goes. */
async function load(...lines: string[]): Promise<unknown> {
  const { client, qemu, end } = connect()
  const loading = client.migrate('migrate-incoming', '/a state, with a comma').catch((error) => error)
  for (const line of lines) {
    qemu.write(`${line}\n`)
    // An answer must not come before its question.
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await end()
  return loading
}

test('a snapshot is loaded when QEMU says so, not when it has begun', async () => {
  const begun = ['{"return": {}}', '{"event": "MIGRATION", "data": {"status": "setup"}}']
  expect(await load(...begun, '{"event": "MIGRATION", "data": {"status": "active"}}')).toMatchObject({ code: 'BOOT_FAILED' })
  expect(await load(...begun, '{"event": "MIGRATION", "data": {"status": "completed"}}')).toBeUndefined()
  // The event may come before the answer.
  expect(await load('{"event": "MIGRATION", "data": {"status": "completed"}}', '{"return": {}}')).toBeUndefined()
})

test('a snapshot that does not fit is refused in the words of QEMU', async () => {
  const failed = '{"event": "MIGRATION", "data": {"status": "failed"}}'
  expect(
    await load('{"return": {}}', failed, '{"return": {"status": "failed", "error-desc": "Unknown ramblock"}}'),
  ).toMatchObject({
    code: 'BOOT_FAILED',
    message: 'QEMU could not migrate-incoming: Unknown ramblock',
  })
  for (const odd of ['{"return": 7}', '{"return": {}}', '{"return": {"status": "failed", "error-desc": 7}}'])
    expect(await load('{"return": {}}', failed, odd)).toMatchObject({ message: expect.stringContaining('it gave no reason') })
  expect(await load('{"error": {"desc": "no such file"}}')).toMatchObject({ message: 'QEMU refused a command: no such file' })
})

test('events that say nothing, or nonsense, change nothing', async () => {
  const odd = ['{"event": "MIGRATION"}', '{"event": "MIGRATION", "data": 7}', '{"event": 7, "data": {"status": {}}}']
  expect(await load(...odd, '{"return": {}}', '{"event": "MIGRATION", "data": {"status": "completed"}}')).toBeUndefined()
})
