/** Templates of real microVMs: built with what they promise, found again, mended, and cleared away. Needs the build in dist/. */

import { execFile } from 'node:child_process'
import { chmodSync, readdirSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import type { BuildEvent, TemplateCatalog, TemplateSpec } from '../../src/index.ts'
import type { Scratch } from '../support/scratch.ts'
import { buildSteps, templatesOfThisFile } from './stored-templates.ts'
import { vmProcesses } from './vm.ts'

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

const web: TemplateSpec = {
  resources: { memoryMib: 128 },
  setup: ['mkdir /srv/www', 'echo hello > /srv/www/index.html'],
  start: ['httpd', '-f', '-p', '8080', '-h', '/srv/www'],
  ready: { port: 8_080 },
}

let scratch: Scratch
let templates: TemplateCatalog
const stored = templatesOfThisFile()
beforeAll(() => {
  ;({ scratch, templates } = stored())
})

async function build(spec: TemplateSpec): Promise<{ digest: string; steps: string[] }> {
  const { digest, steps } = await buildSteps(templates, 'web', spec)
  return { digest, steps }
}

const place = (): string => join(scratch.join('memory'), readdirSync(scratch.join('memory'))[0] as string)

describe('a template', () => {
  it('is built once, and found from then on', async () => {
    const first = await build(web)
    expect(first.steps).toEqual(['boot', 'setup', 'setup', 'start', 'ready', 'snapshot'])
    expect(await build(web)).toEqual({ digest: first.digest, steps: [] })
    expect(await templates.list()).toMatchObject([{ name: 'web', digest: first.digest, state: 'ready' }])
  })

  it('that is truncated is built anew', async () => {
    const { digest } = await build(web)
    const memory = join(place(), digest, 'memory')
    chmodSync(memory, 0o644)
    truncateSync(memory, 4_096)
    chmodSync(memory, 0o444)
    expect((await build(web)).steps).toContain('snapshot')
    expect((await build(web)).steps).toEqual([])
  })

  it.each([[{ exec: ['wget', '-q', '-O', '-', 'http://127.0.0.1:8080/'] }], [{ file: '/srv/www/index.html' }]])(
    'is ready by %o',
    async (ready) => {
      expect((await build({ ...web, ready })).steps).toContain('snapshot')
    },
  )

  it('whose setup fails says which command and what it printed, and leaves nothing', async () => {
    const before = readdirSync(place())
    const building = templates.build('web', { ...web, setup: ['true', 'echo no such package >&2; exit 100'] })
    await expect(building).rejects.toMatchObject({
      code: 'BOOT_FAILED',
      retryable: false,
      message: expect.stringMatching(/setup command 2 of 2 .* exited with 100\.\nThe end of its output:\nno such package$/),
    })
    expect(readdirSync(place())).toEqual(before)
    expect(vmProcesses()).toEqual([])
  })

  it('whose build is given up leaves nothing', async () => {
    const before = readdirSync(place())
    const abort = new AbortController()
    const onEvent = (event: BuildEvent): void => {
      if (event.type === 'step' && event.step === 'setup') abort.abort(new Error('enough'))
    }
    const building = templates.build('web', { ...web, setup: ['sleep 60'] }, { signal: abort.signal, onEvent })
    await expect(building).rejects.toThrow('enough')
    expect(readdirSync(place())).toEqual(before)
    expect(vmProcesses()).toEqual([])
  })
})

describe('warmcell template', () => {
  const warmcell = (...args: string[]) =>
    promisify(execFile)(process.execPath, [cli, 'template', ...args], {
      env: { ...process.env, WARMCELL_ISOLATION: 'emulated', XDG_STATE_HOME: scratch.join('state') },
    }).catch((error: { code: number; stdout: string; stderr: string }) => error)

  it('builds, lists, removes and prunes', async () => {
    await templates.prune({ all: true })
    const spec = scratch.file('spec.json', JSON.stringify(web))
    const built = await warmcell('build', 'web', '--file', spec, '--setup', 'echo done', '--verbose')
    expect(built.stdout).toMatch(/^[0-9a-f]{64}\n$/)
    expect(built.stderr).toMatch(/web: setup: 3 of 3: echo done\ndone\n/)
    expect((await warmcell('build', 'web', '--file', spec, '--setup', 'echo done')).stderr).toContain('was there already')
    expect((await warmcell('list')).stdout).toMatch(/^NAME .*\nweb .* ready\n$/)
    expect(JSON.parse((await warmcell('list', '--json')).stdout)).toMatchObject([{ name: 'web', digest: built.stdout.trim() }])
    expect((await warmcell('rm', built.stdout.slice(0, 12))).stdout).toContain('removed web')
    // What is kept of its setup has its name too.
    expect((await warmcell('list', '--stages')).stdout).toMatch(/^NAME .*\n(web \(setup [1-3]\) .* disk +ready\n){3}$/)
    expect((await warmcell('rm', 'web')).stdout).toMatch(/^(removed web \(setup [1-3]\) [0-9a-f]{12}\n){3}$/)
    expect(await warmcell('rm', 'web')).toMatchObject({ code: 1, stderr: expect.stringContaining("no template 'web'") })
    expect(await warmcell('prune')).toMatchObject({ stderr: 'There was nothing to remove.\n' })
  })

  it('that fails exits with 125 and says why', async () => {
    const outcome = await warmcell('build', 'bad', '--memory', '128', '--setup', 'echo oops; exit 3')
    expect(outcome).toMatchObject({ code: 125, stdout: '' })
    expect(outcome.stderr).toMatch(/exited with 3\.\nThe end of its output:\noops \[BOOT_FAILED\]\n$/)
    expect(await warmcell('build', '--file', '/nope')).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('[INVALID_ARGUMENT]'),
    })
  })
})
