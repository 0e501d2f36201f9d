/** Every example runs, as its first lines say. Needs the build in dist/. */

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const env = { ...process.env, WARMCELL_ISOLATION: 'emulated' }
const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))

it('run-a-command', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [example('run-a-command.mjs')], { env })
  expect(stdout).toContain('hello from inside')
  expect(stdout).toMatch(/uid=1000\(user\)/)
  expect(stdout).toContain('exit code 3')
})

it('stream-output', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [example('stream-output.mjs')], { env })
  expect(stdout).toContain('line 3')
  expect(stdout).toContain('stdout: 7, 19, 42')
  expect(stdout).toContain('timedOut true')
})

it('untrusted-code-endpoint', async () => {
  const server = spawn(process.execPath, [example('untrusted-code-endpoint/server.mjs')], {
    env: { ...env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const [line] = (await once(server.stdout, 'data')) as [Buffer]
    const url = /http:\S+/.exec(line.toString())?.[0]
    const run = async (code: string) => (await fetch(`${url}/run?tenant=alice`, { method: 'POST', body: code })).json()
    const [ok, failed] = await Promise.all([run('echo "hi from $(whoami)"'), run('ls /nowhere; exit 2')])
    expect(ok).toMatchObject({ exitCode: 0, stdout: 'hi from user\n' })
    expect(failed).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('/nowhere') })
    expect((await fetch(`${url}/run`, { method: 'POST', body: 'x'.repeat(70_000) })).status).toBe(413)
  } finally {
    const exited = once(server, 'exit')
    server.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
  }
})
