/** Every example runs, as its first lines say. Needs the build in dist/. */

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
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

it('untrusted-code-endpoint', () =>
  withServer('untrusted-code-endpoint/server.mjs', async (url) => {
    const run = async (code: string) => (await fetch(`${url}/run?tenant=alice`, { method: 'POST', body: code })).json()
    const [ok, failed] = await Promise.all([run('echo "hi from $(whoami)"'), run('ls /nowhere; exit 2')])
    expect(ok).toMatchObject({ exitCode: 0, stdout: 'hi from user\n' })
    expect(failed).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('/nowhere') })
    expect((await fetch(`${url}/run`, { method: 'POST', body: 'x'.repeat(70_000) })).status).toBe(413)
  }))

it('functions', () =>
  withServer('functions/server.mjs', async (url) => {
    const call = async (method: string, path: string, body?: string) => {
      const response = await fetch(`${url}/functions/${path}`, { method, ...(body !== undefined && { body }) })
      return { status: response.status, start: response.headers.get('x-start'), text: await response.text() }
    }
    const hello = await readFile(example('functions/hello.sh'), 'utf8')
    expect(await call('POST', 'alice/hello', 'you')).toMatchObject({ status: 404 })
    expect(await call('PUT', 'alice/hello', hello)).toMatchObject({ status: 201 })
    expect(await call('PUT', 'bob/hello', hello)).toMatchObject({ status: 201 })
    expect(await call('PUT', 'bob/hello', 'no interpreter')).toMatchObject({ status: 400 })

    const cold = await call('POST', 'alice/hello', 'you\n')
    expect(cold).toMatchObject({
      status: 200,
      start: 'cold',
      text: expect.stringMatching(/^hello you, from wc-\w+, invocation 1 /),
    })
    const warm = await call('POST', 'alice/hello', 'again\n')
    expect(warm).toMatchObject({ start: 'warm', text: expect.stringMatching(/invocation 2 /) })
    // Another tenant's function of the same name is another microVM.
    expect(await call('POST', 'bob/hello', 'bob\n')).toMatchObject({
      start: 'cold',
      text: expect.stringContaining('invocation 1 '),
    })

    // No more instances than the concurrency says, however many ask.
    const many = await Promise.all(Array.from({ length: 12 }, () => call('POST', 'alice/hello', 'all\n')))
    expect(many.filter(({ status }) => status === 200)).toHaveLength(12)
    expect(many.filter(({ start }) => start === 'cold').length).toBeLessThanOrEqual(1)

    await call('PUT', 'alice/late?timeoutMs=200', '#!/bin/sh\nsleep 60\n')
    expect(await call('POST', 'alice/late', '')).toMatchObject({ status: 504 })
    await call('PUT', 'alice/broken', '#!/bin/sh\necho no >&2; exit 3\n')
    expect(await call('POST', 'alice/broken', '')).toMatchObject({ status: 502, text: expect.stringContaining('exited with 3') })
    // A new version is there with the next invocation.
    await call('PUT', 'alice/hello', '#!/bin/sh\necho newer\n')
    expect(await call('POST', 'alice/hello', '')).toMatchObject({ status: 200, start: 'cold', text: 'newer\n' })

    const load = await promisify(execFile)(
      process.execPath,
      [example('functions/load.mjs'), '--url', url, '--tenants', '2', '--clients', '2', '--seconds', '2'],
      { env },
    )
    expect(load.stdout).toMatch(/\d+ invocations in 2 s, .* 0 failed/)
    const { functions } = (await (await fetch(`${url}/stats`)).json()) as { functions: Array<Record<string, unknown>> }
    expect(functions.find(({ tenant, name }) => tenant === 'alice' && name === 'late')).toMatchObject({
      timedOut: 1,
      instances: 0,
    })
  }))

/** Runs the example until the work is done; it has to end in order then. */
async function withServer(name: string, work: (url: string) => Promise<void>): Promise<void> {
  const server = spawn(process.execPath, [example(name)], { env: { ...env, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [line] = (await once(server.stdout, 'data')) as [Buffer]
    await work(/http:[^\s,]+/.exec(line.toString())?.[0] ?? '')
  } finally {
    const exited = once(server, 'exit')
    server.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
  }
}
