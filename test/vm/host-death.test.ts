/** However the host process dies, no microVM outlives it. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { reap } from '../../src/index.ts'
import { eventually, vmProcesses } from './vm.ts'

/** Starts a host that makes one sandbox, says its id, and then does as `then` says. Needs the build in dist/. */
async function hostWithSandbox(
  then = 'setInterval(() => {}, 1_000)',
  env: NodeJS.ProcessEnv = {},
): Promise<{ host: ChildProcess; id: string }> {
  const program = `
    const { createSandbox } = await import('warmcell')
    const sandbox = await createSandbox()
    await sandbox.exec('sleep 300 & true')
    console.log(sandbox.id)
    ${then}`
  const host = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, WARMCELL_ISOLATION: 'emulated', ...env },
  })
  const [line] = (await once(host.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  return { host, id: line.toString().trim() }
}

/** Nor does anything else, once somebody has looked: whatever it was killed in the middle of. */
afterEach(async () => {
  const { left, failures } = await reap()
  expect([...left, ...failures]).toEqual([])
  expect(readdirSync(join(process.env.XDG_STATE_HOME as string, 'warmcell', 'journal'))).toEqual([])
})

it.each<NodeJS.Signals>(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGSEGV', 'SIGHUP'])('killed by %s', async (signal) => {
  const { host, id } = await hostWithSandbox()
  expect(vmProcesses(id)).toHaveLength(1)
  const exited = once(host, 'exit')
  host.kill(signal)
  await exited
  expect(await eventually(() => vmProcesses(id).length === 0, 2_000)).toBe(true)
})

it('killed where the kernel cannot end a microVM with its parent: the guest powers itself off', async () => {
  const qemu = execFileSync('sh', ['-c', 'command -v qemu-system-x86_64'], { encoding: 'utf8' }).trim()
  // Without setpriv on the PATH nothing but the closed port tells the microVM.
  const { host, id } = await hostWithSandbox(undefined, { PATH: '/nowhere', WARMCELL_QEMU: qemu })
  const exited = once(host, 'exit')
  host.kill('SIGKILL')
  await exited
  expect(await eventually(() => vmProcesses(id).length === 0, 5_000)).toBe(true)
})

it.each([
  ['process.exit', 'process.exit(0)'],
  ['an uncaught exception', 'setTimeout(() => { throw new Error("as the test wants it") })'],
])('ended by %s', async (_name, then) => {
  const { host, id } = await hostWithSandbox(then)
  await once(host, 'exit')
  expect(await eventually(() => vmProcesses(id).length === 0, 2_000)).toBe(true)
})

it('killed while its guest still boots', async () => {
  const program = `const { createSandbox } = await import('warmcell'); console.log('up'); await createSandbox()`
  const host = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, WARMCELL_ISOLATION: 'emulated' },
  })
  await once(host.stdout as NodeJS.ReadableStream, 'data')
  expect(await eventually(() => vmProcesses().length > 0, 5_000)).toBe(true)
  const exited = once(host, 'exit')
  host.kill('SIGKILL')
  await exited
  expect(await eventually(() => vmProcesses().length === 0, 2_000)).toBe(true)
})
