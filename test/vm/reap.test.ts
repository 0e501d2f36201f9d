/** What a killed host leaves of its microVMs and templates goes with the next pool, or on demand; what is another host's does not. Needs the build in dist/. */

import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { createPool, listMicrovms, openTemplates, type ReapReport, reap } from '../../src/index.ts'
import { Scratch } from '../support/scratch.ts'
import { eventually, vmProcesses } from './vm.ts'

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const qemu = execFileSync('sh', ['-c', 'command -v qemu-system-x86_64'], { encoding: 'utf8' }).trim()

/** What the promise allows, in milliseconds. */
const withinMs = 5_000

/** Without setpriv on its PATH no microVM of it ends with it. */
const unbound = { PATH: '/nowhere', WARMCELL_QEMU: qemu }

/** A host that says the id of its sandbox, or whatever else it prints, and stays until it is killed. */
async function startHost(program: string, env: NodeJS.ProcessEnv = {}): Promise<{ host: ChildProcess; said: string }> {
  const host = spawn(process.execPath, ['--input-type=module', '-e', `${program}\nsetInterval(() => {}, 1_000)`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, WARMCELL_ISOLATION: 'emulated', ...env },
  })
  const lines = createInterface(host.stdout as NodeJS.ReadableStream)[Symbol.asyncIterator]()
  return { host, said: (await lines.next()).value as string }
}

const sandboxIn = (stateDir?: string): string => `
  const { createPool } = await import('warmcell')
  const pool = await createPool({ templates: { base: { resources: { memoryMib: 128 } } }, ${stateDir ? `stateDir: ${JSON.stringify(stateDir)}` : ''} })
  const sandbox = await pool.createSandbox()
  console.log(sandbox.id)`

async function kill(host: ChildProcess): Promise<void> {
  const closed = once(host, 'close')
  host.kill('SIGKILL')
  await closed
}

/** A host whose microVM stands still when it is killed, so that it cannot power itself off either. */
async function leftMicrovm(stateDir?: string): Promise<{ id: string; ownerPid: number }> {
  const { host, said: id } = await startHost(sandboxIn(stateDir), unbound)
  // All of its, for it keeps some in stock as well.
  for (const { pid, owner } of await listMicrovms()) if (owner.pid === host.pid) process.kill(pid, 'SIGSTOP')
  await kill(host)
  expect(vmProcesses(id)).toHaveLength(1)
  return { id, ownerPid: host.pid as number }
}

it('a microVM that has outlived its host goes with the next pool on its state directory', async () => {
  using scratch = new Scratch()
  const { id } = await leftMicrovm(scratch.join('state'))
  const began = performance.now()
  await using _ = await createPool({ isolation: 'emulated', stateDir: scratch.join('state') })
  expect(vmProcesses(id)).toEqual([])
  expect(performance.now() - began).toBeLessThan(withinMs)
  expect(readdirSync(scratch.join('state/journal'))).toEqual([])
})

it('it is listed without its owner, found by doctor, and removed by `warmcell reap`', async () => {
  const { id, ownerPid } = await leftMicrovm()
  expect((await listMicrovms()).find((one) => one.id === id)).toMatchObject({
    state: 'paused',
    owner: { pid: ownerPid, command: [] },
  })
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, [cli, ...args], { env: { ...process.env, WARMCELL_ISOLATION: 'emulated' } })
  expect((await run('doctor')).stdout).toMatch(
    /warn +left behind +Processes that have ended left \d+ microVMs?.*\n.*warmcell reap/,
  )
  const { stdout } = await run('reap')
  expect(stdout).toMatch(/^REMOVED +NAME +OWNER\n/)
  expect(stdout).toMatch(new RegExp(`^microvm +${id} +${ownerPid}$`, 'm'))
  expect(vmProcesses(id)).toEqual([])
  expect((await listMicrovms()).map((one) => one.id)).not.toContain(id)
  expect(await run('reap')).toMatchObject({ stdout: '', stderr: 'Nothing to remove.\n' })
  expect(JSON.parse((await run('reap', '--json')).stdout)).toEqual({ removed: [], left: [], failures: [] } satisfies ReapReport)
  expect((await run('doctor')).stdout).toContain('Nothing is left of processes that have ended.')
})

it('of two hosts on one state directory one is killed, and the other’s microVM lives on', async () => {
  using scratch = new Scratch()
  const stateDir = scratch.join('state')
  await using pool = await createPool({ isolation: 'emulated', stateDir, templates: { base: { resources: { memoryMib: 128 } } } })
  const sandbox = await pool.createSandbox()
  const { id } = await leftMicrovm(stateDir)
  const { removed, left } = await reap({ stateDir })
  expect(removed).toContainEqual(expect.objectContaining({ kind: 'microvm', name: id }))
  expect(removed.map(({ name }) => name)).not.toContain(sandbox.id)
  expect(left).toEqual([])
  expect(vmProcesses(id)).toEqual([])
  expect((await sandbox.exec('echo still here')).stdout).toBe('still here\n')
  await sandbox.destroy()
  await pool.close()
  expect(readdirSync(`${stateDir}/journal`)).toEqual([])
})

it('killed during a template build: what is half made is never used, and goes with the next who opens the state directory', async () => {
  using scratch = new Scratch()
  const stateDir = scratch.join('state')
  const build = `
    const { openTemplates } = await import('warmcell')
    const templates = await openTemplates({ stateDir: ${JSON.stringify(stateDir)} })
    const onEvent = ({ type, detail }) => { if (type === 'step' && detail.includes('sleep')) console.log('setting up') }
    await templates.build('half', { resources: { memoryMib: 128 }, setup: ['sleep 300'] }, { onEvent })`
  const { host, said } = await startHost(build, unbound)
  expect(said).toBe('setting up')
  const building = vmProcesses('wc-template-')
  expect(building).toHaveLength(1)
  for (const pid of building) process.kill(pid, 'SIGSTOP')
  await kill(host)
  const drafts = (): string[] =>
    readdirSync(process.env.WARMCELL_TEMPLATE_DIR as string, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(new|old)\.[^/]*$/.test(name),
    )
  expect(drafts()).toHaveLength(1)
  const began = performance.now()
  const templates = await openTemplates({ isolation: 'emulated', stateDir })
  expect(performance.now() - began).toBeLessThan(withinMs)
  expect(await templates.list()).toEqual([])
  expect(await eventually(() => vmProcesses('wc-template-').length === 0, 0)).toBe(true)
  expect(drafts()).toEqual([])
  expect(readdirSync(`${stateDir}/journal`)).toEqual([])
  expect(readdirSync(`${stateDir}/templates/locks`)).toEqual([])
})

it('a state directory that is not there has nothing left, and is not made', async () => {
  using scratch = new Scratch()
  expect((await reap({ stateDir: scratch.join('none') })).left).toEqual([])
  expect(existsSync(scratch.join('none'))).toBe(false)
  await expect(reap({ stateDirectory: 'x' } as object)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
