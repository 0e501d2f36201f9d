/** The microVMs of a host are listed from outside, by whoever asks. The command needs the build in dist/. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { createPool, listMicrovms, type MicrovmInfo } from '../../src/index.ts'

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

/** Other tests of this machine have microVMs too. */
async function own(): Promise<MicrovmInfo[]> {
  return (await listMicrovms()).filter(({ owner }) => owner.pid === process.pid)
}

it('a sandbox runs, what is warm stands still, and both are clones of one template', async () => {
  await using pool = await createPool({ isolation: 'emulated', templates: { base: { resources: { memoryMib: 128 }, warm: 1 } } })
  const sandbox = await pool.createSandbox()
  await pool.ready()
  const listed = await own()
  const running = listed.find(({ id }) => id === sandbox.id)
  expect(running).toMatchObject({
    state: 'running',
    isolation: 'emulated',
    vcpus: 1,
    memoryMib: 128,
    template: { name: 'base', digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
  })
  expect(running?.memoryBytes).toBeGreaterThan(2 ** 20)
  expect(running?.memoryBytes).toBeLessThanOrEqual(running?.residentBytes ?? 0)
  expect(running?.cpuMs).toBeGreaterThan(0)
  expect(listed.some(({ state, template }) => state === 'paused' && template?.digest === running?.template?.digest)).toBe(true)
  const before = running?.cpuMs ?? 0
  await sandbox.exec('i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done')
  expect((await own()).find(({ id }) => id === sandbox.id)?.cpuMs).toBeGreaterThan(before)
  await sandbox.destroy()
  expect((await own()).map(({ id }) => id)).not.toContain(sandbox.id)
})

it('the command line lists those of other programs too', async () => {
  await using pool = await createPool({ isolation: 'emulated', templates: { base: { resources: { memoryMib: 128 } } } })
  await using sandbox = await pool.createSandbox()
  const { stdout } = await promisify(execFile)(process.execPath, [cli, 'ps'])
  expect(stdout).toMatch(/^ID +STATE +ISOLATION +TEMPLATE +AGE +CPU +MEMORY +PID +OWNER\n/)
  expect(stdout).toMatch(
    new RegExp(`^${sandbox.id} +running +emulated +base [0-9a-f]{12} .*/128 MiB +\\d+ +${process.pid} `, 'm'),
  )
  const json = await promisify(execFile)(process.execPath, [cli, 'ps', '--json'])
  const listed = JSON.parse(json.stdout) as MicrovmInfo[]
  expect(listed.find(({ id }) => id === sandbox.id)?.owner.pid).toBe(process.pid)
})
