/** Templates of real microVMs whose setup is cached command by command: what runs again, what does not, and what their clones are. Needs the build in dist/. */

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  type BuildEvent,
  createPool,
  type Sandbox,
  type TemplateCatalog,
  type TemplateRecord,
  type TemplateSpec,
} from '../../src/index.ts'
import type { Scratch } from '../support/scratch.ts'
import { cloneFactLines, cloneFacts } from './clone-facts.ts'
import { buildSteps, templatesOfThisFile } from './stored-templates.ts'
import { eventually, vmProcesses } from './vm.ts'

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const resources = { memoryMib: 128 }
const mib = 1_048_576

/** Each run of it leaves another token: one that stays the same was not run again. */
const token = (name: string): string =>
  `mkdir -p /srv/tokens && head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \\n' >> /srv/tokens/${name}`

let scratch: Scratch
let templates: TemplateCatalog
const stored = templatesOfThisFile()
beforeAll(() => {
  ;({ scratch, templates } = stored())
})

async function build(spec: TemplateSpec, name = 'mine'): Promise<{ digest: string; steps: string[]; sizeBytes: number }> {
  const { digest, steps, sizeBytes } = await buildSteps(templates, name, { resources, ...spec })
  return { digest, steps, sizeBytes }
}

/** What some clones of it say, each to the same question. */
async function ask(spec: TemplateSpec, count: number, question: (sandbox: Sandbox) => Promise<string>): Promise<string[]> {
  await using pool = await createPool({
    isolation: 'emulated',
    stateDir: scratch.join('state/warmcell'),
    templates: { mine: { resources, ...spec } },
  })
  const sandboxes = await Promise.all(Array.from({ length: count }, () => pool.createSandbox({ template: 'mine' })))
  // Awaited here: the pool is closed on the way out.
  return await Promise.all(sandboxes.map(question))
}

/** The tokens of a template, by the names of their commands. */
async function tokensOf(spec: TemplateSpec): Promise<Record<string, string>> {
  const [said = ''] = await ask(spec, 1, async (sandbox) => (await sandbox.exec('cd /srv/tokens && grep "" *')).stdout)
  const lines = said.trim().split('\n')
  return Object.fromEntries(lines.map((line) => line.split(':') as [string, string]))
}

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  WARMCELL_ISOLATION: 'emulated',
  XDG_STATE_HOME: scratch.join('state'),
})

const stages = async (): Promise<TemplateRecord[]> =>
  (await templates.list({ stages: true })).filter(({ stage }) => stage !== undefined)

describe('a setup that is cached command by command', () => {
  const setup = ['1', '2', '3', '4', '5'].map(token)

  it('runs its changed last command alone, and keeps what the others have made', async () => {
    const first = await build({ setup })
    expect(first.steps).toEqual(['boot', 'setup', 'setup', 'setup', 'setup', 'setup', 'snapshot'])
    const before = await tokensOf({ setup })
    expect(Object.keys(before)).toEqual(['1', '2', '3', '4', '5'])
    const changed = { setup: [...setup.slice(0, 4), `: again; ${token('5')}`] }
    expect((await build(changed)).steps).toEqual(['cached', 'cached', 'cached', 'cached', 'setup', 'snapshot'])
    const after = await tokensOf(changed)
    expect({ ...after, 5: '' }).toEqual({ ...before, 5: '' })
    expect(after[5]).not.toBe(before[5])
    expect(after[5]).toMatch(/^[0-9a-f]{16}$/)
  })

  it('runs none when only what is started changes', async () => {
    const one = { setup: setup.slice(0, 2), start: 'sleep 1000' }
    await build(one)
    const other = { ...one, start: ['httpd', '-f', '-p', '8080', '-h', '/srv'], ready: { port: 8_080 } }
    expect((await build(other)).steps).toEqual(['cached', 'cached', 'start', 'ready', 'snapshot'])
    expect(await tokensOf(other)).toEqual(await tokensOf(one))
    const [served] = await ask(
      other,
      1,
      async (sandbox) => (await sandbox.exec('wget -q -O - http://127.0.0.1:8080/tokens/1')).stdout,
    )
    expect(served).toMatch(/^[0-9a-f]{16}$/)
  })

  it('leaves running what a command has left running, through all stages', async () => {
    const beating = ['(while :; do sleep 1; echo beat >> /tmp/beats; done) & echo left', token('1'), token('2')]
    await build({ setup: beating, start: 'sleep 1000' })
    const [said] = await ask({ setup: beating, start: 'sleep 1000' }, 1, async (sandbox) => {
      const count = 'wc -l < /tmp/beats'
      const { stdout } = await sandbox.exec(`${count}; sleep 3; ${count}`)
      return stdout
    })
    const [before = 0, after = 0] = (said ?? '').trim().split('\n').map(Number)
    expect(after).toBeGreaterThan(before)
  })

  it('is shared by templates that begin alike, also when two processes build them at once', async () => {
    const shared = [token('shared'), token('more')]
    const builds = ['a', 'b'].map((last) =>
      promisify(execFile)(
        process.execPath,
        [
          cli,
          'template',
          'build',
          last,
          '--memory',
          '128',
          ...[...shared, token(last)].flatMap((command) => ['--setup', command]),
        ],
        { env: environment() },
      ),
    )
    await Promise.all(builds)
    const [a, b] = await Promise.all(['a', 'b'].map((last) => tokensOf({ setup: [...shared, token(last)] })))
    expect([a?.shared, a?.more]).toEqual([b?.shared, b?.more])
    expect(vmProcesses()).toEqual([])
    expect(readdirSync(scratch.join('state/warmcell/templates')).filter((name) => /\.(new|old)\./.test(name))).toEqual([])
  })

  it('whose stage is damaged makes that stage again, from the one before it', async () => {
    const damaged = ['x', 'y', 'z'].map(token)
    await build({ setup: damaged }, 'damaged')
    const before = await tokensOf({ setup: damaged })
    const { digest } = (await stages()).find(({ name, stage }) => name === 'damaged' && stage === 2) as TemplateRecord
    const memory = join(scratch.join('state/warmcell/templates'), digest, 'memory')
    chmodSync(memory, 0o644)
    const file = openSync(memory, 'r+')
    writeSync(file, Buffer.from([0xff]), 0, 1, 64 * mib)
    closeSync(file)
    chmodSync(memory, 0o444)
    const changed = { setup: [...damaged.slice(0, 2), `: again; ${token('z')}`] }
    expect((await build(changed, 'damaged')).steps).toEqual(['cached', 'setup', 'setup', 'snapshot'])
    const after = await tokensOf(changed)
    expect(after.x).toBe(before.x)
    expect(after.y).not.toBe(before.y)
  })

  it('whose third command fails says so, and when it is mended runs that alone', async () => {
    const failing = [token('f1'), token('f2'), 'echo no such package >&2; exit 100', token('f4')]
    await expect(build({ setup: failing }, 'failing')).rejects.toMatchObject({
      code: 'BOOT_FAILED',
      retryable: false,
      message: expect.stringMatching(/setup command 3 of 4 .* exited with 100\.\nThe end of its output:\nno such package$/),
    })
    expect(vmProcesses()).toEqual([])
    expect(
      (await stages())
        .filter(({ name }) => name === 'failing')
        .map(({ stage }) => stage)
        .sort(),
    ).toEqual([1, 2])
    expect((await build({ setup: failing.with(2, token('f3')) }, 'failing')).steps).toEqual([
      'cached',
      'cached',
      'setup',
      'setup',
      'snapshot',
    ])
  })

  it('whose builder is killed leaves its stages to the next, no microVM, and nothing in the way', async () => {
    const killed = [token('k1'), 'sleep 60']
    const words = ['template', 'build', 'killed', '--memory', '128', ...killed.flatMap((command) => ['--setup', command])]
    const builder = spawn(process.execPath, [cli, ...words], { env: environment(), stdio: 'ignore' })
    const ended = once(builder, 'exit')
    const isKept = async (): Promise<boolean> => (await stages()).some(({ name }) => name === 'killed')
    await expect.poll(isKept, { timeout: 60_000, interval: 50 }).toBe(true)
    builder.kill('SIGKILL')
    await ended
    expect(await eventually(() => vmProcesses().length === 0, 5_000)).toBe(true)
    expect((await build({ setup: [token('k1'), token('k2')] }, 'killed')).steps).toEqual(['cached', 'setup', 'snapshot'])
    await templates.prune()
    const left = readdirSync(scratch.hostPath, { recursive: true, encoding: 'utf8' })
    expect(left.filter((path) => /\.(new|old)\./.test(path))).toEqual([])
  })

  it('that is given up at any of its steps leaves nothing half made, and no microVM', async () => {
    for (const wanted of [1, 2, 3]) {
      const abort = new AbortController()
      let seen = 0
      const onEvent = (event: BuildEvent): void => {
        if (event.type === 'step' && event.step === 'setup' && ++seen === wanted)
          setTimeout(() => abort.abort(new Error('enough')), 50)
      }
      const given = { resources, setup: [`: ${wanted}; ${token('g1')}`, token('g2'), 'sleep 20'], start: 'sleep 1000' }
      await expect(templates.build('given-up', given, { signal: abort.signal, onEvent })).rejects.toThrow('enough')
      expect(vmProcesses()).toEqual([])
      const left = readdirSync(scratch.hostPath, { recursive: true, encoding: 'utf8' })
      expect(left.filter((path) => /\.(new|old)\./.test(path))).toEqual([])
    }
  })
})

describe('clones of a template that was made in stages', () => {
  const staged: TemplateSpec = {
    // Read in the template, in each of its stages, what nobody may find again in a clone.
    setup: [cloneFacts, `date +%s > /srv/set-up; ${cloneFacts}`],
    start: `date +%s > /tmp/begun; ${cloneFacts}; exec sleep 1000`,
  }

  it('differ pairwise in urandom, uuid, boot_id, machine-id, generation, hostname and ASLR', async () => {
    await build(staged)
    const said = await ask(staged, 8, async (sandbox) => (await sandbox.exec(cloneFacts, { user: 'root' })).stdout)
    const all = said.map((text) => text.trim().split('\n'))
    for (const lines of all) expect(lines).toHaveLength(cloneFactLines)
    for (let fact = 0; fact < cloneFactLines; fact++) expect(new Set(all.map((lines) => lines[fact])).size).toBe(8)
  })

  it('have the right time, though what was started began a day before it; the setup had it too', async () => {
    const began = Date.now() / 1_000
    const [said = ''] = await ask(staged, 1, async (sandbox) => {
      const before = Date.now() / 1_000
      const { stdout } = await sandbox.exec('cat /srv/set-up /tmp/begun; date +%s')
      return `${stdout}${before}\n${Date.now() / 1_000}`
    })
    const [setUp = 0, begun = 0, now = 0, before = 0, after = 0] = said.split('\n').map(Number)
    // Whole seconds, rounded down.
    expect(now).toBeGreaterThan(before - 2)
    expect(now).toBeLessThan(after + 1)
    // The build was in the last minutes.
    expect(began - setUp).toBeGreaterThanOrEqual(0)
    expect(began - setUp).toBeLessThan(600)
    expect(Math.abs(setUp - 86_400 - begun)).toBeLessThan(60)
  })

  it('weigh no more than those of one that was made in one piece', async () => {
    const [one, two] = [token('one'), token('two')]
    const [piece, parts] = [{ setup: [`: piece; ${one}; ${two}`] }, { setup: [`: parts; ${one}`, two] }]
    const sizes = [await build(piece), await build(parts)].map(({ sizeBytes }) => sizeBytes)
    expect(sizes[1]).toBeLessThan((sizes[0] ?? 0) + 4 * mib)
    const weigh = async (spec: TemplateSpec): Promise<number> => {
      const [kib] = await ask(spec, 1, async (sandbox) => {
        await sandbox.exec(['true'])
        const [pid] = vmProcesses(sandbox.id)
        return /^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? ''
      })
      return Number(kib) * 1_024
    }
    expect(await weigh(parts)).toBeLessThan((await weigh(piece)) + 4 * mib)
  })
})
